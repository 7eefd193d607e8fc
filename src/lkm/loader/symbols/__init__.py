"""What a module imports and exports, and what kallsyms shows of it."""

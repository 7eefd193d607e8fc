"""The lesson on loadable kernel modules: real commands, their real output, and what it shows."""

"""Arguments, exit status, and one module per command. No logic."""

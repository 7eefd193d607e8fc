"""Parameters: what a module declares, and what setting them comes to."""

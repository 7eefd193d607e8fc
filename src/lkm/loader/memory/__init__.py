"""Where a module lies in memory, and whether there is room."""

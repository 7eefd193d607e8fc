"""One kernel image: what it is wrapped in, and the facts that stand in it."""

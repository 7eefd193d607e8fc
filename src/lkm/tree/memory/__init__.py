"""What is remembered of a tree from run to run."""

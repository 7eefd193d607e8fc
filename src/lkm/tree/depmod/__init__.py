"""Making the index files of a tree."""

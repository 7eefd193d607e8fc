"""What is shown of facts found elsewhere: text as kmod prints it, JSON documents, tables."""

"""Answers that need more than one room: which modules are meant, and why one will not load."""

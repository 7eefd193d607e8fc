"""The kernel's module loader as checks of values: what it refuses, taints and logs, and why."""

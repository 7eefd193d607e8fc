"""The Linux loadable kernel module system."""

__version__ = "0.1.0"

"""Kernels: the running one and the sandbox, behind one protocol, and carrying out a plan."""

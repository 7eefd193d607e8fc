"""modprobe.d, depmod.d and the kernel command line, with file and line of every directive."""

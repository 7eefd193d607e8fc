"""Real kernels in throw-away QEMU machines."""

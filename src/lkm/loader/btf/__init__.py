"""A module's type information (BTF), as the kernel looks at it."""

"""What lies in a guest's file system: programs, a Python with lkm, modules, copied files."""

"""The recipe of the teaching kernel, which ships in ``lkm.teaching``: ``python -m teaching``."""

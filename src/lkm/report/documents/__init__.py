"""Every JSON document that lkm prints; no other place knows their keys.

Each has a ``schema``, ``lkm.THING/VERSION``. Numbers are bytes or counts; addresses and CRCs are
hexadecimal text, since JSON readers lose bits of large numbers; what is not known is null.
"""

"""The manual pages, made from the definitions of the commands.

What a help text does not need, but a page does (environment, files, examples, what differs from
kmod), stands in ``pages/NAME.mdoc``.
"""

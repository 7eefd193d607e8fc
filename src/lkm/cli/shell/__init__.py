"""Completion of command lines in bash, zsh and fish.

A shell's own part (``lkm.bash``, ``lkm.zsh``, ``lkm.fish``) is a thin function that hands the line
to ``lkm complete``; all that can follow is computed here, from the definitions of the commands.
"""

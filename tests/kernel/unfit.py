"""Files that a kernel does not take as they are, made from tiny modules that it would take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.outcomes.patching import crc, cut, cut_signature, patched, vermagic


def write_unfit(folder: Path, tiny: Callable[[str], bytes]) -> Path:
    """Write them into *folder* and return it; *tiny* gives a module by its name.

    vermagic    tm_ok for another architecture's kernel
    crc         tm_dep, which wants another version of what tm_exp exports
    cut         tm_ok without its end
    nothing     an ELF header and zeros
    """
    ok, dep = cut_signature(tiny("tm_ok")), cut_signature(tiny("tm_dep"))
    files = {
        "vermagic": patched(ok, vermagic(lambda old: old.replace(" SMP ", " "))),
        "crc": patched(dep, crc("tm_exp_plain", lambda old: old ^ 1)),
        "cut": patched(ok, cut(len(ok) // 2)),
        "nothing": b"\x7fELF" + bytes(300),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.ko").write_bytes(data)
    return folder

"""The worlds that cases play in: a tree, a configuration, and what is loaded."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.oracle.kernel import RELEASE, Loaded
from tests.oracle.modules import Spec, as_bytes, module_bytes

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class World:
    """What one case finds. A case's own table is merged into that of the world it names.

    *modules* are by their path in the tree (``kernel/a.ko``), *files* by their path in the root
    (``/etc/modprobe.d/a.conf``), as text; false takes one of the world's away. *loaded* are names
    or tables, newest first. *indexed*: kmod's depmod has been there. *cmdline* is the kernel's,
    *answers* as in ``FakeKernel``.
    """

    modules: Mapping[str, Spec | bool] = field(default_factory=dict)
    files: Mapping[str, str | bool] = field(default_factory=dict)
    builtin: Sequence[str] = ()
    builtin_modinfo: Sequence[str] = ()
    loaded: Sequence[Loaded] = ()
    cmdline: str = "root=/dev/vda1 quiet"
    answers: Sequence[str] = ()
    indexed: bool = True
    release: str = RELEASE

    def write(self, root: Path, kmod: Path) -> None:
        """Lay the world out at *root*."""
        tree = root / "lib/modules" / self.release
        tree.mkdir(parents=True)
        for path, spec in self.modules.items():
            if isinstance(spec, bool):
                continue
            file = tree / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if "symlink" in spec:
                file.symlink_to(spec["symlink"])
            else:
                file.write_bytes(module_bytes(path, spec))
        order = [path.partition(".ko")[0] + ".ko\n" for path, spec in self.modules.items() if spec]
        (tree / "modules.order").write_text("".join(order))
        (tree / "modules.builtin").write_text("".join(f"{path}\n" for path in self.builtin))
        (tree / "modules.builtin.modinfo").write_bytes(
            b"".join(as_bytes(entry) + b"\0" for entry in self.builtin_modinfo)
        )
        if self.indexed:
            empty = root / "case"
            depmod = [str(kmod.parent / "depmod"), "-b", str(root), "-C", str(empty), self.release]
            subprocess.run(depmod, capture_output=True, check=False)
        for path, text in self.files.items():
            file = root / path.lstrip("/")
            if isinstance(text, str):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(as_bytes(text.replace("RELEASE", self.release)))
            else:
                file.unlink()


Table = Mapping[str, object]


def world_of(table: Table) -> World:
    """Return the world that *table*, of a world or of a case, declares."""
    merged: dict[str, object] = {}
    name = table.get("world")
    if name is not None:
        merged.update(_WORLDS[str(name)])
    for key, value in table.items():
        if key in _MERGED and isinstance(value, dict):
            before = merged.get(key, {})
            assert isinstance(before, dict)
            merged[key] = {**before, **value}
        elif key in World.__dataclass_fields__:
            merged[key] = value
    loaded = merged.pop("loaded", ())
    assert isinstance(loaded, Sequence)
    return World(loaded=tuple(map(_loaded, loaded)), **merged)  # type: ignore[arg-type]  # TOML's


def _loaded(said: object) -> Loaded:
    if isinstance(said, str):
        return Loaded(name=said)
    assert isinstance(said, dict)
    return Loaded(**said)


_MERGED = ("modules", "files")
_WORLDS = tomllib.loads((HERE / "worlds.toml").read_text())

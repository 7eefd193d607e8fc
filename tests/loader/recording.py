"""Record what a real kernel shows of its modules, once they are live.

``python -m tests.loader.recording PACKAGE [NAME...]`` boots the kernel of a Debian package in QEMU,
loads the modules named, or a choice of two hundred, with what they depend on, and writes
``tests/data/modules-RELEASE.json``. A module that does not load (it finds no hardware) is left out.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lkm.elf.file import ElfFile
from lkm.elf.symbols import read_symbols
from lkm.module.modinfo import parse_modinfo
from lkm.names import is_module_file, module_name_of_path
from tests.outcomes.case import Modules
from tests.outcomes.guest import Boot, Seen, run
from tests.outcomes.kernels import RealKernel

DATA = Path(__file__).parent.parent / "data"
# libcrc32c looks for an implementation of crc32c, which no dependency names.
_FIRST = ("crc32c_generic",)
_FOLDERS = ("fs", "lib", "crypto", "net", "block", "drivers/block", "drivers/md", "drivers/net")
_MORE = ("usbcore", "kvm", "drm", "snd_timer", "cdrom", "hid", "virtio_ring", "scsi_common", "uio")
# These want what no guest has, or test themselves for minutes.
_LEFT_OUT = frozenset(
    {"test_bpf", "rcutorture", "locktorture", "torture", "test_vmalloc", "tcrypt"}
)
_MOST = 260


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a kernel showed of one module.

    *sections* maps names to addresses. *percpu* is where its per-CPU data lies, None where no
    symbol tells. *symbols* counts its lines in /proc/kallsyms; *names* and *lines* are the SHA-256
    of them as "TYPE NAME" and as "ADDRESS TYPE NAME", joined by newlines.
    """

    size: int
    symbols: int
    names: str
    lines: str
    percpu: int | None
    sections: dict[str, int]


def recorded(kernel: RealKernel, names: Sequence[str]) -> dict[str, Shown]:
    """Return what *kernel* showed of each of *names*, and of what they depend on, once live."""
    image = kernel.image
    return shown_in(
        lambda boot: run(image, boot, timeout_s=3000, memory_mb=1800), kernel, (*_FIRST, *names)
    )


def shown_in(
    run_guest: Callable[[Boot], Sequence[Seen]], kernel: Modules, names: Sequence[str]
) -> dict[str, Shown]:
    """Return what the guest that *run_guest* starts shows of its modules *names*, once live."""
    files = _in_order(kernel, names)
    operations = [f"load /ko/{name}.ko 0" for name in files]
    operations += ["mods", *[f"{look} {name}" for name in files for look in ("sys", "syms")]]
    images = {f"{name}.ko": kernel.debian(name) for name in files}
    boot = Boot(files=images, operations=tuple(operations))
    seen = {each.op: each for each in run_guest(boot)}
    sizes = {line.split()[0]: int(line.split()[1]) for line in seen["mods"].modules}
    return {
        name: _shown(size, seen[f"sys {name}"], seen[f"syms {name}"].kallsyms, kernel.debian(name))
        for name, size in sorted(sizes.items())
    }


def digest(lines: Iterable[str]) -> str:
    """Return the SHA-256 of *lines*, joined by newlines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _shown(size: int, folder: Seen, lines: Sequence[str], image: bytes) -> Shown:
    sections = [
        line.split(" ") for line in folder.out if " sections/." in line or " sections/_" in line
    ]
    return Shown(
        size=size,
        symbols=len(lines),
        names=digest([line[17:] for line in lines]),
        lines=digest(lines),
        percpu=_percpu(lines, image),
        sections={words[1].removeprefix("sections/"): int(words[2], 16) for words in sections},
    )


def _percpu(lines: Sequence[str], image: bytes) -> int | None:
    """Return where the per-CPU data begins: a symbol's address less its place in the section."""
    elf = ElfFile.from_bytes(image)
    percpu = elf.section(".data..percpu")
    if percpu is None:
        return None
    values = {
        each.name: each.value for each in read_symbols(elf) if each.section_index == percpu.index
    }
    for line in lines:
        address, kind, name = line.split(" ", 2)
        if kind == "a" and name in values:
            return int(address, 16) - values[name]
    return None


def _in_order(kernel: Modules, names: Sequence[str]) -> list[str]:
    """Return the modules to load, dependencies first."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name in found:
            return
        for need in _depends(kernel.debian(name)):
            add(need)
        found[name] = None

    for name in names:
        add(name)
    return list(found)


def _depends(image: bytes) -> list[str]:
    elf = ElfFile.from_bytes(image)
    entries = dict(parse_modinfo(elf.section_data(".modinfo") or b""))
    return [name.replace("-", "_") for name in entries.get("depends", "").split(",") if name]


def _chosen(kernel: RealKernel) -> tuple[str, ...]:
    """Return modules that need no hardware, spread over the folders that hold such."""
    tree = kernel.root / "lib/modules" / kernel.release / "kernel"
    found = list(_MORE)
    for folder in _FOLDERS:
        paths = [
            path for path in sorted((tree / folder).rglob("*.ko*")) if is_module_file(path.name)
        ]
        step = max(1, len(paths) // 26)
        found += [str(module_name_of_path(path.name)) for path in paths[::step]]
    here = [name for name in dict.fromkeys(found) if kernel.has(name) and name not in _LEFT_OUT]
    return tuple(here[:_MOST])


def write(kernel: RealKernel, found: Mapping[str, Shown]) -> Path:
    """Write what was recorded; see ``write_shown``."""
    about = f"Debian's {kernel.package} in QEMU, recorded by tests/loader/recording.py"
    return write_shown(kernel.release, about, found)


def write_shown(release: str, about: str, found: Mapping[str, Shown]) -> Path:
    """Write what the kernel *release* showed, a line a module; *about* tells how that came."""
    path = DATA / f"modules-{release}.json"
    rows = [f" {json.dumps(name)}: {json.dumps(asdict(shown))}" for name, shown in found.items()]
    head = f'{{\n"source": {json.dumps(about)},\n"modules": {{\n'
    path.write_text(head + ",\n".join(rows) + "\n}\n}\n")
    return path


def read(path: Path) -> dict[str, Shown]:
    """Return what ``write`` wrote."""
    document = json.loads(path.read_text())
    return {name: Shown(**fields) for name, fields in document["modules"].items()}


if __name__ == "__main__":
    chosen = RealKernel.of(sys.argv[1])
    seen_modules = recorded(chosen, tuple(sys.argv[2:]) or _chosen(chosen))
    print(f"{write(chosen, seen_modules)}: {len(seen_modules)} modules")

"""Compile and link the modules, so that the same sources and tools give the same bytes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.names import module_name_of_path
from teaching.modpost import Compiled, compiled, mod_c
from teaching.recipe import FOLDER, Recipe

# What a kernel's code must be (no red zone, no floating point, addresses in the top 2 GB, calls
# by retpolines), what keeps host habits out, and what keeps the order of the source.
FLAGS = (
    "-std=gnu11",
    "-ffreestanding",
    "-nostdinc",
    "-O2",
    "-Wall",
    "-Wextra",
    "-m64",
    "-mcmodel=kernel",
    "-mno-red-zone",
    "-mgeneral-regs-only",
    "-fno-pie",
    "-fno-jump-tables",
    "-mindirect-branch=thunk-extern",
    "-mindirect-branch-register",
    "-mfunction-return=thunk-extern",
    "-fcf-protection=none",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-strict-aliasing",
    "-fno-common",
    "-fno-toplevel-reorder",
)


@dataclass(frozen=True, slots=True)
class Tools:
    """The commands to run: a C compiler for x86-64, and its linker."""

    compiler: str
    linker: str

    @classmethod
    def of_environment(cls) -> Tools:
        """Return what CC and LD name, else gcc and ld."""
        return cls(os.environ.get("CC", "gcc"), os.environ.get("LD", "ld"))


def build_modules(recipe: Recipe, tools: Tools, scratch: Path) -> Mapping[str, bytes]:
    """Return the modules' bytes by path in the modules directory, not signed.

    Object files go into *scratch*. Raises ``CalledProcessError`` where a tool fails.
    """
    modules = [
        _compile(path, tools, scratch, in_tree=path not in recipe.out_of_tree)
        for path in (*recipe.modules, *recipe.out_of_tree)
    ]
    owners = {name: module.name for module in modules for name, _gpl_only in module.exports}
    return {module.path: _link(module, owners, recipe, tools, scratch) for module in modules}


def _compile(path: str, tools: Tools, scratch: Path, *, in_tree: bool) -> Compiled:
    source = FOLDER / "src" / f"{Path(path).stem}.c"
    target = scratch / f"{Path(path).stem}.o"
    name = module_name_of_path(path)
    options = [*FLAGS, f'-DKBUILD_MODNAME="{name}"', f"-I{FOLDER}/include"]
    _run([tools.compiler, "-c", *options, str(source), "-o", str(target)])
    return compiled(path, source.read_bytes(), target.read_bytes(), in_tree=in_tree)


def _link(
    module: Compiled, owners: Mapping[str, str], recipe: Recipe, tools: Tools, scratch: Path
) -> bytes:
    first = scratch / f"{Path(module.path).stem}.o"
    source, second = first.with_suffix(".mod.c"), first.with_suffix(".mod.o")
    source.write_text(mod_c(module, owners, recipe))
    _run([tools.compiler, "-c", *FLAGS, f"-I{FOLDER}/include", str(source), "-o", str(second)])
    target = first.with_suffix(".ko")
    # The build id is a hash of the contents: the same each time.
    options = ["-r", "-m", "elf_x86_64", "--build-id=sha1", "-T", str(FOLDER / "module.lds")]
    _run([tools.linker, *options, str(first), str(second), "-o", str(target)])
    return target.read_bytes()


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"})

"""Build the teaching kernel from its recipe into one folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from lkm.vmlinux.saved import save
from teaching.compiling import Tools, build_modules
from teaching.facts import kernel_facts
from teaching.recipe import read_recipe
from teaching.signing import teaching_key
from teaching.tree import write_root


def build(root: Path, tools: Tools, scratch: Path) -> tuple[Path, ...]:
    """Put the kernel in place of what is at *root*; return the files, sorted.

    Nothing at *root* is touched before all of it is built, in *scratch*.
    """
    recipe = read_recipe()
    objects = scratch / "objects"
    objects.mkdir()
    key = teaching_key()
    modules = {
        path: data if path in recipe.out_of_tree else key.signed(data)
        for path, data in build_modules(recipe, tools, objects).items()
    }
    made = scratch / "root"
    write_root(made, recipe, modules)
    facts = kernel_facts(recipe, key.certificate)
    (made / "boot" / f"facts-{recipe.release}").write_bytes(save(facts))
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(made, root)
    return tuple(sorted([path for path in root.rglob("*") if path.is_file()]))

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError, NotBootedError, NoTreeError
from lkm.kernel.sandbox import Sandbox
from lkm.names import ModuleName
from tests.builders.elf import a_module
from tests.kernel.trees import (
    GPL_CRC,
    IN_TREE,
    LAYOUT_CRC,
    PRINTK_CRC,
    RELEASE,
    VERMAGIC,
    a_root,
    a_sandbox,
    a_signed,
    an_image,
    module_file,
)

BASE = ModuleName("base")


def test_a_booted_sandbox_says_what_it_is(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path, command_line="quiet ro")

    status = sandbox.status()

    assert (status.release, status.root, status.command_line) == (RELEASE, str(root), "quiet ro")
    assert status.directory == f"{root}/lib/modules/{RELEASE}"
    assert status.vermagic == VERMAGIC
    assert (status.tree_modules, status.unreadable, status.loaded) == (4, 0, 0)
    assert (sandbox.name, sandbox.release()) == ("sandbox", RELEASE)
    assert sandbox.command_line() == "quiet ro"


def test_without_symvers_the_kernels_exports_are_assumed_and_counted(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    status = sandbox.status()

    # module_layout and _printk; everything else that is needed a module exports.
    assert (status.assumed, status.exports, status.exports_source) == (True, 2, "")


@pytest.mark.parametrize(
    "place",
    [
        f"usr/src/linux-headers-{RELEASE}/Module.symvers",
        f"lib/modules/{RELEASE}/Module.symvers",
        f"lib/modules/{RELEASE}/symvers.gz",
        f"boot/symvers-{RELEASE}.gz",
    ],
)
def test_exports_are_read_from_a_symvers_where_distributions_put_it(
    tmp_path: Path, place: str
) -> None:
    root = a_root(tmp_path / "root")
    text = f"{PRINTK_CRC:#010x}\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n".encode()
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_bytes(gzip.compress(text) if place.endswith(".gz") else text)
    sandbox = Sandbox(str(tmp_path / "state"))

    status = sandbox.boot(RELEASE, str(root))

    assert (status.assumed, status.exports) == (False, 1)
    assert status.exports_source == str(root / place)


def test_a_build_link_is_followed_inside_its_own_root(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    (root / "usr/src/elsewhere").mkdir(parents=True)
    (root / "usr/src/elsewhere/Module.symvers").write_text("0x1\tx\tvmlinux\tEXPORT_SYMBOL\t\n")
    (root / "lib/modules" / RELEASE / "build").symlink_to("/usr/src/elsewhere")

    status = Sandbox(str(tmp_path / "state")).boot(RELEASE, str(root))

    assert status.exports_source == f"{root}/usr/src/elsewhere/Module.symvers"


def test_a_symvers_that_is_named_wins_and_must_be_good(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    symvers = tmp_path / "mine"
    symvers.write_text("0x1\tx\tvmlinux\tEXPORT_SYMBOL\t\n")
    sandbox = Sandbox(str(tmp_path / "state"))

    assert sandbox.boot(RELEASE, str(root), symvers=str(symvers)).exports == 1
    symvers.write_text("nonsense\n")
    with pytest.raises(FormatError) as caught:
        sandbox.boot(RELEASE, str(root), symvers=str(symvers))
    assert caught.value.path == str(symvers)
    with pytest.raises(FileError):
        sandbox.boot(RELEASE, str(root), symvers=str(tmp_path / "gone"))
    assert sandbox.status().exports == 1, "a boot that fails leaves the old kernel"


def test_a_release_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")

    with pytest.raises(NoTreeError) as caught:
        Sandbox(str(tmp_path / "state")).boot("9.9.9", str(root))

    assert RELEASE in caught.value.remedy
    assert not (tmp_path / "state").exists()


def test_a_broken_module_in_the_tree_is_counted_and_left_out(tmp_path: Path) -> None:
    modules = {"good": a_signed("good"), "bad": b"no module", "cut": a_module()[:200]}

    sandbox, _root = a_sandbox(tmp_path, modules=modules)

    assert (sandbox.status().tree_modules, sandbox.status().unreadable) == (1, 2)


def test_an_empty_tree_boots_a_kernel_that_knows_nothing(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path, modules={})

    assert (sandbox.status().exports, sandbox.status().vermagic) == (0, "")
    sandbox.insert(an_image(a_module(modinfo=IN_TREE)))
    assert [module.name for module in sandbox.modules()] == ["tiny"]


def test_booting_again_is_a_new_kernel(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(
        an_image(
            a_module(
                name="tiny",
                vermagic=VERMAGIC,
                versions={"module_layout": LAYOUT_CRC, "gpl": GPL_CRC},
            )
        )
    )

    sandbox.boot(RELEASE, str(root))

    assert (sandbox.modules(), sandbox.log(), sandbox.status().tainted) == ((), (), 0)


def test_reset_leaves_no_kernel(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    sandbox.reset()
    sandbox.reset()

    with pytest.raises(NotBootedError):
        sandbox.modules()


def test_a_sandbox_that_was_never_booted_says_how_to(tmp_path: Path) -> None:
    sandbox = Sandbox(str(tmp_path / "never"))
    sandbox.reset()

    for ask in (sandbox.status, sandbox.modules, sandbox.log, sandbox.release):
        with pytest.raises(NotBootedError) as caught:
            ask()
        assert "lkm sandbox boot --release" in caught.value.remedy
    with pytest.raises(NotBootedError):
        sandbox.remove(BASE)
    assert not (tmp_path / "never").exists()


def test_the_modules_path_may_be_anything(tmp_path: Path) -> None:
    root = a_root(tmp_path / "caf\udce9 of modules")
    with Sandbox(str(tmp_path / "state")) as sandbox:
        status = sandbox.boot(RELEASE, str(root))
        sandbox.insert(module_file(root, "base"))

    assert status.root == str(root)


@pytest.mark.parametrize(("machine", "told"), [(62, True), (183, False)])
def test_of_other_machines_it_says_that_addresses_are_not_known(
    tmp_path: Path, machine: int, told: bool
) -> None:
    sandbox, _root = a_sandbox(tmp_path, modules={"tiny": a_module(machine=machine)})

    said = [note for note in sandbox.status().notes if note.startswith("addresses of modules")]

    assert bool(said) is not told

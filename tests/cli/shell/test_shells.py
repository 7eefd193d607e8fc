"""TAB, pressed in the real shells."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lkm.cli.main import DROP_INS
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm
from tests.cli.shell.terminal import SHELLS, Terminal
from tests.conftest import missing

pytestmark = pytest.mark.oracle

PROGRAM = Path(sys.executable).parent / "lkm"
TREE = f"-d {{root}} -S {RELEASE}"

# A line, and what it is when TAB has been pressed at its end.
COMPLETED = {
    "lkm rm": "lkm rmmod ",
    "lkm sandbox st": "lkm sandbox status ",
    "lkm --on sandbox modi": "lkm --on sandbox modinfo ",
    "lkm kmod static": "lkm kmod static-nodes ",
    "lkm kmod modprobe --remove-h": "lkm kmod modprobe --remove-holders ",
    "lkm help dep": "lkm help depmod ",
    "lkm completion z": "lkm completion zsh ",
    "lkm find --modal": "lkm find --modalias ",
    "lkm modprobe --sho": "lkm modprobe --show-",
    "lkm modprobe --on=s": "lkm modprobe --on=sandbox ",
    "lkm modprobe --on s": "lkm modprobe --on sandbox ",
    f"lkm modprobe {TREE} lo": f"lkm modprobe {TREE} lone ",
    f"lkm modprobe --dirname={{root}} -S {RELEASE} lo": (
        f"lkm modprobe --dirname={{root}} -S {RELEASE} lone "
    ),
    f"lkm modprobe {TREE} nls-t": f"lkm modprobe {TREE} nls-test ",
    f"lkm modprobe {TREE} nls_t": f"lkm modprobe {TREE} nls_test ",
    f"lkm modprobe {TREE} vfat de": f"lkm modprobe {TREE} vfat debug=",
    f"lkm modprobe {TREE} fs-vfat de": f"lkm modprobe {TREE} fs-vfat debug=",
    f"lkm modprobe {TREE} -a vfat lo": f"lkm modprobe {TREE} -a vfat lone ",
    "lkm insmod {tree}/kernel/lo": "lkm insmod {tree}/kernel/lone.ko ",
    "lkm insmod {tree}/kernel/fs/fat/vfat.ko de": (
        "lkm insmod {tree}/kernel/fs/fat/vfat.ko debug="
    ),
    "lkm insmod {root}/li": "lkm insmod {root}/lib/",
    "lkm insmod {root}/an": "lkm insmod {root}/an\\ odd\\ one.ko ",
    "lkm insmod {root}/a\\ folder/": "lkm insmod {root}/a\\ folder/the\\ one.ko ",
    "lkm insmod {root}/a\\ folder/the\\ ": "lkm insmod {root}/a\\ folder/the\\ one.ko ",
    "lkm insmod ~/li": "lkm insmod ~/lib/",
    "lkm modinfo -b {root} -k 6.1": f"lkm modinfo -b {{root}} -k {RELEASE} ",
    "lkm depmod -b {root} 6": f"lkm depmod -b {{root}} {RELEASE} ",
    "lkm --on sandbox rmmod vf": "lkm --on sandbox rmmod vfat ",
    "lkm --on sandbox modprobe -r vf": "lkm --on sandbox modprobe -r vfat ",
    "lkm rmmod --n": "lkm rmmod --no-cache ",
    "lkm --n": "lkm --no-cache ",
    "lkm --no-cache rm": "lkm --no-cache rmmod ",
    "{program} rm": "{program} rmmod ",
    # Through the link that install-links has made.
    "modprobe --js": "modprobe --json ",
    # Nothing fits, or nothing can be known: the line stays, and no message stands in it.
    "lkm nosuch -": "lkm nosuch -",
    "lkm modprobe -- --a": "lkm modprobe -- --a",
    "lkm modprobe -d /nowhere lo": "lkm modprobe -d /nowhere lo",
    "lkm --on sandbox rmmod lo": "lkm --on sandbox rmmod lo",
    "lkm rmmod --x": "lkm rmmod --x",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = a_root(tmp_path_factory.mktemp("root"))
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    shutil.copy(root / "lib/modules" / RELEASE / "kernel/lone.ko", root / "an odd one.ko")
    (root / "a folder").mkdir()
    (root / "a folder/the one.ko").touch()
    links = tmp_path_factory.mktemp("links")
    assert lkm("install-links", "--program", str(PROGRAM), str(links)).status == 0
    state = tmp_path_factory.mktemp("state") / "sandbox"
    env = {"LKM_STATE": str(state)}
    assert lkm("sandbox", "boot", "--root", str(root), env=env).status == 0
    assert lkm("--on", "sandbox", "modprobe", "vfat", env=env).status == 0
    return {
        "root": str(root),
        "tree": f"{root}/lib/modules/{RELEASE}",
        "links": str(links),
        "state": str(state),
        "program": str(PROGRAM),
    }


@pytest.fixture(scope="module", params=SHELLS)
def terminal(request: pytest.FixtureRequest, places: Mapping[str, str]) -> Iterator[Terminal]:
    name = str(request.param)
    if shutil.which(name) is None:
        missing("oracle", f"{name} is not installed")
    made = Terminal(
        name,
        {
            "PATH": f"{places['links']}:{PROGRAM.parent}:{os.environ['PATH']}",
            "HOME": places["root"],
            "LKM_STATE": places["state"],
            "LC_ALL": "C.UTF-8",
        },
    )
    yield made
    made.close()


@pytest.mark.parametrize("line", COMPLETED)
def test_tab_completes(terminal: Terminal, places: Mapping[str, str], line: str) -> None:
    wanted = COMPLETED[line].format(**places)

    assert terminal.pressing_tab(line.format(**places)) == wanted


def test_words_behind_the_cursor_count(terminal: Terminal, places: Mapping[str, str]) -> None:
    # Only vfat declares firmware: of lone, nothing begins so. fish hands over nothing of what is
    # behind the cursor: there the common fields are offered.
    behind = f" -b {places['root']} -k {RELEASE} "

    with_it = terminal.pressing_tab("lkm modinfo -F firmw", f"{behind}vfat")
    without = terminal.pressing_tab("lkm modinfo -F firmw", f"{behind}lone")

    assert with_it.split()[3] == "firmware"
    assert without.split()[3] == ("firmware" if terminal.name == "fish" else "firmw")


def test_every_name_is_completed_by_every_shells_script() -> None:
    for shell in SHELLS:
        script = lkm("completion", shell).out

        assert all(f" {name}" in script for name in ("lkm", *DROP_INS))

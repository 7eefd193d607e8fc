"""kmod by its own name: what only lkm has, or a comparison with kmod does not show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.tree import RELEASE
from tests.cli.running import lkm

NODES = b"# comment\nfuse fuse c10:229\nsnd_timer snd/timer c116:33\nloop loop b7:0\n"


@pytest.fixture
def devname(sandbox: Path) -> Path:
    """Return the modules.devname of the sandbox's tree, written anew."""
    path = sandbox / "lib/modules" / RELEASE / "modules.devname"
    path.write_bytes(NODES)
    return path


def test_static_nodes_are_those_of_the_kernel_that_is_meant(devname: Path) -> None:
    for called, words in (
        ("lkm", ("--on", "sandbox", "kmod", "static-nodes", "-f", "tmpfiles")),
        ("/usr/bin/kmod", ("static-nodes", "--on", "sandbox", "-f", "tmpfiles")),
    ):
        ran = lkm(*words, called=called)

        assert (ran.status, ran.err) == (0, "")
        assert ran.out.splitlines() == [
            "c! /dev/fuse 0600 - - - 10:229",
            "d /dev/snd 0755 - - -",
            "c! /dev/snd/timer 0600 - - - 116:33",
            "b! /dev/loop 0600 - - - 7:0",
        ]
    devname.unlink()
    missing = lkm("--on", "sandbox", "kmod", "static-nodes")
    assert (missing.status, missing.out) == (0, "")
    assert missing.err == f"Warning: {devname} not found - ignoring\n"


def test_their_document_has_all_that_the_text_has_and_the_bad_lines(
    devname: Path, tmp_path: Path
) -> None:
    devname.write_bytes(NODES + b"no node\n")
    written = tmp_path / "made/nodes"

    ran = lkm(
        "--on", "sandbox", "kmod", "static-nodes", "--json", "-f", "devname", "-o", str(written)
    )

    document = json.loads(ran.out)
    assert (ran.status, document["schema"]) == (1, "lkm.static-nodes/1")
    assert document["path"] == str(devname)
    assert document["nodes"][1] == {
        "module": "snd_timer",
        "device": "/dev/snd/timer",
        "type": "character",
        "major": 116,
        "minor": 33,
    }
    assert [node["type"] for node in document["nodes"]] == ["character", "character", "block"]
    assert document["malformed"] == ["no node"]
    assert ran.err == "Error: invalid devname entry: no node\n"
    assert written.read_bytes() == NODES.partition(b"\n")[2]


def test_kmod_reads_no_option_behind_its_command() -> None:
    ran = lkm("kmod", "lsmod", "--version")

    assert ran.out.startswith("kmod version 34\n")
    assert lkm("kmod", "nonsense", "--json").err == "invalid command 'nonsense'\n"
    assert json.loads(lkm("kmod", "nonsense", "--json").out)["schema"] == "lkm.error/1"


@pytest.mark.usefixtures("devname")
def test_static_nodes_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file/nodes"

    ran = lkm("--on", "sandbox", "kmod", "static-nodes", "-o", str(target))

    reason = f"could not create parent directory for {target} - Not a directory."
    assert (ran.status, ran.out, ran.err) == (1, "", f"Error: {reason}\n")

"""With --json there is exactly one document on stdout, also where the command fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.cli.main import VERBS
from tests.builders.tree import RELEASE
from tests.cli.running import lkm
from tests.report.validating import validate

TREE = ("-d", "{root}", "-S", RELEASE)
# The words, the exit status, the document's schema.
CASES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "lsmod": (("--on", "sandbox", "lsmod"), 0, "lkm.lsmod/1"),
    "lsmod with too much": (("lsmod", "x"), 1, "lkm.error/1"),
    "kmod list": (("--on", "sandbox", "kmod", "list"), 0, "lkm.lsmod/1"),
    "kmod static-nodes": (
        ("--on", "sandbox", "kmod", "static-nodes"),
        0,
        "lkm.static-nodes/1",
    ),
    "modinfo": (("modinfo", "-b", "{root}", "-k", RELEASE, "vfat"), 0, "lkm.modinfo/1"),
    "modinfo -F": (
        ("modinfo", "-F", "alias", "-b", "{root}", "-k", RELEASE, "vfat"),
        0,
        "lkm.modinfo/1",
    ),
    "modinfo of nothing": (("modinfo",), 1, "lkm.error/1"),
    "modinfo of some that exist": (
        ("modinfo", "-b", "{root}", "-k", RELEASE, "vfat", "nosuch", "ext_two"),
        1,
        "lkm.modinfo/1",
    ),
    "the plan": (("modprobe", *TREE, "-D", "vfat"), 0, "lkm.plan/1"),
    "loading": (("--on", "sandbox", "modprobe", "vfat"), 0, "lkm.plan/1"),
    "loading nothing": (("modprobe",), 1, "lkm.error/1"),
    "a wrong option": (("modprobe", "--bad"), 1, "lkm.error/1"),
    "a wrong kernel": (("modprobe", "--on", "moon"), 1, "lkm.error/1"),
    "an unknown module": (("modprobe", *TREE, "-D", "nosuch"), 1, "lkm.plan/1"),
    "a missing tree": (("modprobe", "-d", "{root}", "-S", "9.9", "-D", "vfat"), 1, "lkm.plan/1"),
    "look-ups": (("modprobe", *TREE, "-a", "-R", "vfat", "fs-vfat"), 0, "lkm.lookup/1"),
    "a look-up of nothing": (("modprobe", *TREE, "-R", "nosuch"), 1, "lkm.lookup/1"),
    "configuration": (("modprobe", *TREE, "-c"), 0, "lkm.config/1"),
    "exports": (("modprobe", *TREE, "--show-exports", "fat"), 0, "lkm.symbols/1"),
    "exports of none": (("modprobe", *TREE, "--show-exports", "vfat"), 1, "lkm.error/1"),
    "insmod": (
        ("--on", "sandbox", "insmod", "{root}/lib/modules/6.1.0-test/kernel/lone.ko"),
        0,
        "lkm.insmod/1",
    ),
    "insmod refused": (
        ("--on", "sandbox", "insmod", "{root}/lib/modules/6.1.0-test/kernel/fs/fat/vfat.ko"),
        1,
        "lkm.error/1",
    ),
    "insmod of a missing file": (("insmod", "/nowhere/x.ko"), 1, "lkm.error/1"),
    "rmmod of nothing": (("rmmod",), 1, "lkm.error/1"),
    "rmmod of what is not there": (("--on", "sandbox", "rmmod", "lone"), 1, "lkm.rmmod/1"),
    "depmod": (("depmod", "-b", "{root}", RELEASE), 0, "lkm.depmod/1"),
    "depmod -n": (("depmod", "-n", "-b", "{root}", RELEASE), 0, "lkm.depmod/1"),
    "depmod -A": (("depmod", "-A", "-b", "{root}", RELEASE), 0, "lkm.depmod/1"),
    "depmod of a bad version": (("depmod", "nonsense"), 1, "lkm.error/1"),
    "kernels": (("kernels", "--root", "{root}"), 0, "lkm.kernels/1"),
    "find": (("find", "--root", "{root}", "--release", RELEASE), 0, "lkm.find/1"),
    "find by a wrong option": (("find", "--bad"), 2, "lkm.error/1"),
    "find in a missing tree": (("find", "--release", "9.9"), 3, "lkm.error/1"),
    "status": (("sandbox", "status"), 0, "lkm.sandbox/1"),
    "the log": (("sandbox", "log"), 0, "lkm.sandbox-log/1"),
    "a file of the sandbox": (("sandbox", "cat", "/proc/modules"), 0, "lkm.sandbox-file/1"),
    "a missing one": (("sandbox", "cat", "/nosuch"), 1, "lkm.error/1"),
    "writing to one": (
        ("sandbox", "write", "/proc/sys/kernel/kptr_restrict", "1"),
        0,
        "lkm.sandbox-write/1",
    ),
    "writing what is refused": (
        ("sandbox", "write", "/proc/sys/kernel/kptr_restrict", "9"),
        1,
        "lkm.error/1",
    ),
    "holding what is not there": (("sandbox", "hold", "nosuch"), 1, "lkm.error/1"),
    "an init's answer without a sandbox": (
        ("modprobe", *TREE, "--init-returns", "0", "vfat"),
        1,
        "lkm.error/1",
    ),
    "booting nothing": (("sandbox", "boot", "--root", "/nonexistent"), 3, "lkm.error/1"),
    "reset": (("sandbox", "reset"), 0, "lkm.sandbox-reset/1"),
    "booting": (("sandbox", "boot", "--root", "{root}"), 0, "lkm.sandbox/1"),
    "what a module needs": (
        ("modprobe", *TREE, "--show-modversions", "vfat"),
        0,
        "lkm.symbols/1",
    ),
    "a dry run": (("modprobe", *TREE, "--on", "sandbox", "-n", "vfat", "debug=1"), 0, "lkm.plan/1"),
    "unloading": (("--on", "sandbox", "modprobe", "-r", "vfat"), 0, "lkm.plan/1"),
    "unloading what must be there": (
        ("--on", "sandbox", "modprobe", "-r", "--first-time", "vfat"),
        1,
        "lkm.plan/1",
    ),
    "modinfo of an unreadable file": (("modinfo", "{root}/bad.ko"), 1, "lkm.modinfo/1"),
    "static nodes": (("--on", "sandbox", "kmod", "static-nodes"), 0, "lkm.static-nodes/1"),
    "symbols": (("kallsyms", "--on", "sandbox"), 1, "lkm.kallsyms/1"),
    "one symbol": (
        ("kallsyms", "--on", "sandbox", "--address", "ffffffff81000000"),
        1,
        "lkm.kallsyms-address/1",
    ),
    "saving symbols": (
        ("kallsyms", "--on", "sandbox", "save", "{root}/saved"),
        0,
        "lkm.kallsyms-saved/1",
    ),
    "two tables": (
        ("kallsyms", "--on", "sandbox", "diff", "{root}/before"),
        1,
        "lkm.kallsyms-diff/1",
    ),
    "how a kernel was configured": (("kconfig", "--on", "sandbox"), 3, "lkm.kconfig/1"),
    "a guest of a kernel that is not there": (
        ("lab", "--root", "{root}", "--release", "9.9", "--", "true"),
        125,
        "lkm.error/1",
    ),
    "guests of kernels that are not there": (
        ("lab", "--root", "{root}", "--each", f"9.9,{RELEASE}", "--", "true"),
        3,
        "lkm.lab-matrix/1",
    ),
    "a shell in a guest": (("lab",), 2, "lkm.error/1"),
    "a command in a guest of no kernel": (
        ("modinfo", "--on", "lab", "-b", "{root}", "-k", "9.9", "vfat"),
        125,
        "lkm.error/1",
    ),
    "fetching nothing": (("lab", "get", "moon:6.1"), 2, "lkm.error/1"),
    "links": (
        ("install-links", "--program", "/bin/true", "{root}/sbin"),
        0,
        "lkm.links/1",
    ),
    "completion": (("completion", "bash"), 0, "lkm.completion/1"),
    "a manual page": (("man", "modprobe"), 0, "lkm.man/1"),
    "the schemas": (("schema",), 0, "lkm.schemas/1"),
    "one schema": (("schema", "lsmod"), 0, "lkm.schema/1"),
    "a schema of nothing": (("schema", "nosuch"), 2, "lkm.error/1"),
}


@pytest.mark.parametrize("case", CASES)
def test_exactly_one_document_comes_out(sandbox: Path, case: str) -> None:
    words, status, schema = CASES[case]
    (sandbox / "bad.ko").write_bytes(b"not ELF")
    (sandbox / "before").write_text("ffffffff81000000 T start\nffffffff81000010 t gone\n")

    own = words[: words.index("--")] if "--" in words else words

    ran = lkm(*[word.format(root=sandbox) for word in (*own, "--json", *words[len(own) :])])

    document = validate(ran.out)  # two documents, or text beside one, would not parse
    assert (ran.status, document["schema"]) == (status, schema)
    messages = document["messages"]
    assert isinstance(messages, list)
    said = [message["text"] for message in messages]
    # A hint is written only where somebody reads it; the document has it always.
    assert all(any(line.endswith(text) for text in said) for line in ran.err.splitlines())
    # An own verb's answer may be no, or not known, without a word.
    assert said or status == 0 or (words[0] in VERBS and schema != "lkm.error/1")


def test_what_a_word_came_to_stands_with_its_own_plan(sandbox: Path) -> None:
    lkm("--on", "sandbox", "modprobe", "vfat")

    ran = lkm("--on", "sandbox", "modprobe", "--json", "-a", "--first-time", "vfat", "lone")

    first, second = json.loads(ran.out)["plans"]
    assert (first["target"], first["outcome"]) == ("vfat", None)
    assert first["objection"] == {"module": "vfat", "reason": "loaded"}
    assert (second["target"], second["outcome"]["done"]) == ("lone", ["lone"])
    assert ran.status == 1
    assert sandbox.is_dir()


def test_a_module_is_described_by_typed_fields(root: Path) -> None:
    ran = lkm("modinfo", "--json", "-b", str(root), "-k", RELEASE, "vfat", "ext_two")

    vfat, builtin = json.loads(ran.out)["modules"]
    assert vfat["fields"]["alias"] == ["fs-vfat", "pci:v00001234d*"]
    assert vfat["parameters"] == [{"name": "debug", "type": "bool", "description": "Say more"}]
    assert vfat["path"].endswith("/vfat.ko")
    assert (builtin["name"], builtin["builtin"], builtin["path"]) == ("ext_two", True, None)


def test_a_field_is_the_same_in_text_and_document(root: Path) -> None:
    for field in ("filename", "alias", "parm", "name", "signer"):
        words = ("modinfo", "-F", field, "-b", str(root), "-k", RELEASE, "vfat", "ext_two")
        modules = json.loads(lkm(*words, "--json").out)["modules"]
        values = [value for module in modules for value in module["fields"][field]]

        assert lkm(*words).out == "".join(f"{value}\n" for value in values)


def test_every_step_of_a_plan_has_its_fields(root: Path) -> None:
    folder = root / "conf"
    folder.mkdir()
    (folder / "x.conf").write_text("install fat /bin/true\noptions vfat debug=1\n")

    ran = lkm("modprobe", "--json", "-C", str(folder), "-d", str(root), "-S", RELEASE, "-D", "vfat")

    (plan,) = json.loads(ran.out)["plans"]
    command, soft, target = plan["steps"]
    assert (command["action"], command["command"]) == ("run-install", "/bin/true")
    assert command["sources"] == [{"path": f"{folder}/x.conf", "line": 1}]
    assert (soft["action"], soft["required"]) == ("insert", False)
    assert (target["params"].strip(), target["because"]) == ("debug=1", None)
    assert {"path": f"{folder}/x.conf", "line": 2} in target["sources"]

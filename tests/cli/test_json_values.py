"""Every value of the text is in the document: the text is made anew from it, and is the same."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from tests.builders.elf import AnExport, ASection, a_module
from tests.builders.tree import RELEASE, the_quartet
from tests.cli.running import lkm
from tests.module.modules import a_pkcs7, a_record
from tests.report import retelling
from tests.report.validating import validate

BUILD_ID = struct.pack("<3I4s20s", 4, 20, 3, b"GNU", bytes(range(20)))
CONFIGURATION = """\
alias al* lone
alias gone nosuch
blacklist fat
install fat /bin/echo  fat $CMDLINE_OPTS
remove fat /bin/echo gone
options lone a=1
options lone  b=2 c="x y"
softdep vfat pre: lone nls-test post: ext-two
softdep lone post: ext-two
softdep nls_test no lists
weakdep vfat lone fat
softdep [bad pre: x
nonsense
"""


@pytest.fixture
def words(root: Path) -> tuple[str, ...]:
    """Return the options for a tree with everything in it, and a configuration."""
    tree = root / "lib/modules" / RELEASE
    made = {
        "signed": a_module(name="signed", extra=[ASection(".note.gnu.build-id", BUILD_ID)])
        + a_record(signature=a_pkcs7(signature=bytes(range(256)))),
        "old_signed": a_module(name="old_signed")
        + a_record(id_type=1, name=b"A signer", key=b"\1\2", signature=b"\3" * 25),
        "noded": a_module(name="noded", modinfo=["alias=devname:x/y", "alias=char-major-10-7"]),
        "odd": a_module(
            name="odd",
            modinfo=["parmtype=t:int", "parm=d:only text", "anything=goes", "author=A", "author=B"],
            exports=[AnExport(name="without_crc")],
        ),
    }
    for name, data in made.items():
        (tree / f"{name}.ko").write_bytes(data)
    (root / "conf").mkdir()
    (root / "conf/x.conf").write_text(CONFIGURATION)
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    return ("-d", str(root), "-S", RELEASE, "-C", str(root / "conf"))


def same(retell: retelling.Retelling, *words: str) -> str:
    """Compare the text of a command with what its document makes of it; return the document."""
    text = lkm(*words)
    ran = lkm(*words, "--json")
    validate(ran.out)
    assert retell(ran.out) == text.out
    assert ran.status == text.status
    said = [line for line in text.err.splitlines() if not line.startswith("libkmod: ")]
    program = next(word for word in words if word in ("modprobe", "modinfo", "lsmod", "depmod"))
    assert set(said) <= set(retelling.messages(ran.out, program))
    return ran.out


PLANS: dict[str, tuple[str, ...]] = {
    "parameters": ("-D", "lone", "d=3", "e=a b"),
    "dependencies and softdeps": ("-D", "vfat"),
    "an alias": ("-D", "alias"),
    "an alias to nowhere": ("-D", "gone"),
    "a built-in": ("-D", "ext-two"),
    "a built-in by its alias": ("-D", "fs-ext2"),
    "several": ("-a", "-D", "lone", "vfat"),
    "no commands": ("-i", "-D", "fat"),
    "a symbol": ("-D", "symbol:fat_attach"),
    "a dry run": ("-n", "vfat"),
    "a blacklist": ("-b", "-n", "fat"),
    "nothing": ("-D", "nosuch"),
}


@pytest.mark.parametrize("case", PLANS)
def test_a_plan(words: tuple[str, ...], case: str) -> None:
    same(retelling.plan, "modprobe", *words, *PLANS[case])


def test_unloading(sandbox: Path, words: tuple[str, ...]) -> None:
    assert sandbox.is_dir()
    assert lkm("--on", "sandbox", "modprobe", "-a", "vfat", "lone").status == 0

    for options in (("-r", "vfat"), ("-r", "--remove-holders", "fat"), ("-r", "lone")):
        same(retelling.plan, "--on", "sandbox", "modprobe", *words[4:], "-n", *options)


def test_look_ups(words: tuple[str, ...]) -> None:
    every = ("vfat", "fs-vfat", "pci:v00001234d1", "alias", "fs-ext2", "symbol:fat_attach", "fat")

    for word in (*every, "nosuch", "gone", "ext-two"):
        same(retelling.lookup, "modprobe", *words, "-R", word)
    same(retelling.lookup, "modprobe", *words, "-a", "-R", *every)


def test_the_configuration(words: tuple[str, ...]) -> None:
    same(retelling.config, "modprobe", *words, "-c")


def test_symbols(words: tuple[str, ...]) -> None:
    same(retelling.symbols, "modprobe", *words, "--show-exports", "fat")
    same(retelling.symbols, "modprobe", *words, "--show-exports", "odd")
    same(retelling.symbols, "modprobe", *words, "--show-modversions", "vfat")


def test_loaded_modules(sandbox: Path) -> None:
    assert lkm("--on", "sandbox", "modprobe", "-a", "vfat", "lone").status == 0

    for command in (("lsmod",), ("kmod", "list")):
        text = lkm("--on", "sandbox", *command)
        document = lkm("--on", "sandbox", *command, "--json").out
        validate(document)
        assert retelling.lsmod(document) == text.out
    assert sandbox.is_dir()


def test_module_facts(root: Path, words: tuple[str, ...]) -> None:
    assert words
    tree = root / "lib/modules" / RELEASE
    (tree / "bad.ko").write_bytes(b"no ELF file")
    names = ("vfat", "fat", "signed", "old_signed", "odd", "noded", "ext_two", f"{tree}/bad.ko")
    options = ("modinfo", "-b", str(root), "-k", RELEASE)

    for name in names:
        text = lkm(*options, name)
        ran = lkm(*options, name, "--json")
        validate(ran.out)
        assert retelling.modinfo(ran.out) == sorted_entries(text.out)
        assert ran.status == text.status
    for field in ("alias", "parm", "parmtype", "signer", "signature", "build-id", "filename", "no"):
        same(retelling.modinfo_field, *options, "-F", field, *names[:-1])


def sorted_entries(text: str) -> str:
    """Return modinfo's entries, whose lines may go on behind two tabs, sorted."""
    entries = text.replace("\n\t\t", "\0").splitlines(keepends=True)
    return "".join(sorted(entries)).replace("\0", "\n\t\t")


def test_indexes(root: Path, words: tuple[str, ...]) -> None:
    assert words
    for options in (("-n",), ("-n", "-v"), ()):
        same(retelling.depmod, "depmod", *options, "-b", str(root), RELEASE)


def test_device_nodes(sandbox: Path, words: tuple[str, ...]) -> None:
    assert words
    assert sandbox.is_dir()
    text = lkm("--on", "sandbox", "kmod", "static-nodes")
    document = lkm("--on", "sandbox", "kmod", "static-nodes", "--json").out

    validate(document)
    assert "x/y" in text.out
    assert retelling.static_nodes(document) == text.out


def test_bytes_that_are_not_utf_8_come_back_from_a_document(root: Path) -> None:
    tree = root / "lib/modules" / RELEASE
    author = b"J\xfcrgen \xe4\xf6 \xf0\x9f\x90\xa7 \xed\xb2\x80 \xff"
    data = a_module(name="latin", modinfo=["author=" + "x" * len(author)])
    (tree / "latin.ko").write_bytes(data.replace(b"x" * len(author), author))
    (root / "conf").mkdir()
    (root / "conf/x.conf").write_bytes(b"options lone text=" + author + b"\n")

    options = ("-b", str(root), "-k", RELEASE)
    facts = lkm("modinfo", *options, f"{tree}/latin.ko", "--json").out
    configuration = lkm("modprobe", "-C", str(root / "conf"), "-c", "-d", str(root), "-S", RELEASE)
    found = lkm(
        "modprobe", "-C", str(root / "conf"), "-c", "-d", str(root), "-S", RELEASE, "--json"
    ).out

    assert facts.isascii()
    (module,) = json.loads(facts)["modules"]
    assert module["fields"]["author"][0].encode("utf-8", "surrogateescape") == author
    directives = json.loads(found)["directives"]
    (params,) = [each["params"] for each in directives if each.get("module") == "lone"]
    assert params.encode("utf-8", "surrogateescape") == b"text=" + author
    assert f"options lone {params}\n" in configuration.out


def test_no_module_of_the_quartet_is_forgotten(root: Path) -> None:
    document = json.loads(lkm("depmod", "--json", "-b", str(root), RELEASE).out)

    counts = document["counts"]
    assert counts["modules"] == len(the_quartet())
    assert (counts["builtins"], counts["builtin_aliases"], counts["softdeps"]) == (1, 1, 1)
    assert {file["name"] for file in document["files"]} >= {"modules.dep", "modules.dep.bin"}
    assert document["written_to"] == document["directory"]


@pytest.mark.debian
def test_the_modules_of_a_real_kernel(indexed_root: Path, debian_release: str) -> None:
    root = str(indexed_root)
    paths = sorted((indexed_root / "lib/modules" / debian_release).rglob("*.ko*"))[::9]

    for path in paths:
        text = lkm("modinfo", str(path)).out
        document = lkm("modinfo", "--json", str(path)).out
        validate(document)
        assert retelling.modinfo(document) == sorted_entries(text), path
    assert len(paths) > 100
    for path in paths[::3]:
        name = path.name.partition(".")[0]
        same(retelling.plan, "modprobe", "-d", root, "-S", debian_release, "-D", name, "x=1")


@pytest.mark.debian
def test_the_configuration_and_indexes_of_a_real_kernel(
    indexed_root: Path, debian_release: str
) -> None:
    options = ("modprobe", "-d", str(indexed_root), "-S", debian_release)
    text = lkm(*options, "-c").out
    document = lkm(*options, "-c", "--json").out

    validate(document)
    assert retelling.config(document) == text
    assert text.count("\n") > 5_000

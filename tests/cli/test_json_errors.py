"""Which words ask for JSON, and how each failure is told in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.cli.options import Option, OptionError, parse
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE
from tests.cli.running import lkm
from tests.module.modules import a_pkcs7, a_record
from tests.report.validating import validate

TREE = ("-d", "{root}", "-S", RELEASE)


def document_of(out: str) -> dict[str, list[dict[str, object]]]:
    validate(out)
    found: dict[str, list[dict[str, object]]] = json.loads(out)
    return found


def kind_of(error: object) -> object:
    assert isinstance(error, dict)
    return error["kind"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("modinfo",), "UsageError"),
        (("modinfo", "-b", "/nowhere", "x"), None),
        (("modprobe",), "UsageError"),
        (("modprobe", "-r", "-w", "soon", "x"), "UsageError"),
        (("modprobe", *TREE, "--show-exports", "nosuch"), "NoSuchModuleError"),
        (("modprobe", *TREE, "--show-exports", "vfat"), "FormatError"),
        (("modprobe", "-d", "/nowhere", "--show-exports", "vfat"), "NoTreeError"),
        (("modprobe", "--show-exports", "/nowhere/x.ko"), "FileError"),
        (("insmod",), "UsageError"),
        (("insmod", "-"), "UsageError"),
        (("rmmod",), "UsageError"),
        (("lsmod", "x"), "UsageError"),
        (("depmod", "nonsense"), "UsageError"),
        (("depmod", "-P", "xy"), "UsageError"),
        (("depmod", "-b", "{root}", "9.9"), "FileError"),
        (("depmod", "-b", "{root}", RELEASE, "x.ko"), "UsageError"),
        (("depmod", "-b", "{root}", RELEASE, "/nowhere.ko"), "FileError"),
        (("kmod",), "UsageError"),
        (("kmod", "nosuch"), "UsageError"),
        (("kmod", "static-nodes", "-f", "odd"), "UsageError"),
        (("kallsyms", "--address", "odd"), "UsageError"),
    ],
)
def test_a_single_cause_is_named(root: Path, words: tuple[str, ...], kind: str | None) -> None:
    ran = lkm(*[word.format(root=root) for word in words], "--json")

    document = validate(ran.out)
    assert ran.status != 0
    if kind is not None:
        assert (document["schema"], kind_of(document["error"])) == ("lkm.error/1", kind)


def test_each_word_has_an_entry_in_the_plans(root: Path) -> None:
    options = [word.format(root=root) for word in TREE]
    ran = lkm("modprobe", *options, "-a", "-D", "--json", "lone", "nosuch", "/nowhere/x.ko")

    lone, nosuch, file = document_of(ran.out)["plans"]
    assert (lone["target"], lone["error"]) == ("lone", None)
    assert (nosuch["target"], nosuch["operation"], nosuch["steps"]) == ("nosuch", "load", [])
    assert kind_of(nosuch["error"]) == "NoSuchModuleError"
    assert (file["target"], kind_of(file["error"])) == ("/nowhere/x.ko", "FileError")

    (gone,) = document_of(lkm("modprobe", *options, "-r", "--json", "nosuch").out)["plans"]
    assert (gone["operation"], kind_of(gone["error"])) == ("unload", "NoSuchModuleError")
    (untold,) = document_of(lkm("modprobe", "-d", "/nowhere", "-D", "--json", "x").out)["plans"]
    assert kind_of(untold["error"]) == "NoTreeError"


def test_each_word_has_an_entry_in_look_ups(root: Path) -> None:
    options = [word.format(root=root) for word in TREE]
    file = str(root / "lib/modules" / RELEASE / "kernel/lone.ko")
    ran = lkm("modprobe", *options, "-a", "-R", "--json", "nosuch", "lone", file)

    nosuch, lone, path = document_of(ran.out)["words"]
    assert (nosuch["word"], nosuch["modules"]) == ("nosuch", [])
    assert kind_of(nosuch["error"]) == "NoSuchModuleError"
    assert (lone["word"], lone["error"], path["error"]) == ("lone", None, None)


def test_each_word_has_an_entry_in_modinfo(root: Path) -> None:
    ran = lkm("modinfo", "-b", str(root), "-k", RELEASE, "--json", "fs-vfat", "nosuch", "ext-two")

    vfat, nosuch, builtin = document_of(ran.out)["modules"]
    assert (vfat["word"], vfat["name"]) == ("fs-vfat", "vfat")
    assert (nosuch["word"], nosuch["name"], nosuch["builtin"]) == ("nosuch", None, None)
    assert kind_of(nosuch["error"]) == "NoSuchModuleError"
    assert (builtin["word"], builtin["name"]) == ("ext-two", "ext_two")


def test_parameters_and_signature_are_typed_also_alone(root: Path) -> None:
    signed = root / "signed.ko"
    signed.write_bytes(a_module(name="signed") + a_record(signature=a_pkcs7(signature=b"\1\2")))

    def typed(*words: str) -> object:
        (module,) = document_of(lkm("modinfo", "--json", *words).out)["modules"]
        return module["typed"]

    tree = ("-b", str(root), "-k", RELEASE)
    debug = {"name": "debug", "type": "bool", "description": "Say more"}
    assert typed("-p", *tree, "vfat") == {"parm": [debug]}
    assert typed("-F", "parm", *tree, "vfat") == {"parm": [debug]}
    (quick,) = typed("-p", *tree, "ext_two")["parm"]  # type: ignore[index]
    assert quick["name"] == "quick"
    signature = typed("-F", "signature", str(signed))["signature"]  # type: ignore[index]
    assert signature["signature"] == "0102"
    assert typed("-F", "signature", *tree, "vfat") == {"signature": None}


def test_an_argument_does_not_ask_for_json(root: Path) -> None:
    file = str(root / "lib/modules" / RELEASE / "kernel/lone.ko")
    for words in (("modinfo", "-F", "--json", file), ("modinfo", "--field", "--json", file)):
        assert lkm(*words).out == ""
    assert lkm("kmod", "modinfo", "-F", "--json", file).out == ""
    assert "--json" in lkm("modinfo", "--", "--json").err
    assert lkm("modinfo", "--", "--json").out == ""


@pytest.mark.parametrize(
    "words",
    [
        ("modprobe", "--bad", "--json"),
        ("modprobe", "--json", "-?"),
        ("modprobe", "--json", "-C"),
        ("modinfo", "-x", "lone", "--json"),
        ("kmod", "--bad", "--json"),
        ("kmod", "--json", "modinfo", "--bad"),
        ("kmod", "modinfo", "--bad", "--json"),
        ("find", "--bad", "--json"),
    ],
)
def test_a_wrong_line_that_asks_for_json_gets_it(words: tuple[str, ...]) -> None:
    ran = lkm(*words)

    document = validate(ran.out)
    (message,) = json.loads(ran.out)["messages"]
    (line,) = ran.err.splitlines()
    assert line.endswith(f": {message['text']}")
    assert document["error"] is not None


def test_before_kmods_command_it_holds_for_the_tool(root: Path) -> None:
    assert root.is_dir()
    ran = lkm("kmod", "--json", "--on", "sandbox", "list")

    assert ran.status == 1  # kmod has no such option of its own
    assert validate(ran.out)["schema"] == "lkm.error/1"
    assert validate(lkm("kmod", "--json", "lsmod", "x").out)["schema"] == "lkm.error/1"


@pytest.mark.parametrize(
    "words",
    [
        ("lsmod", "-V", "--json"),
        ("lsmod", "--json", "--help"),
        ("kmod", "--json", "help"),
        ("find", "--json", "--help"),
    ],
)
def test_help_and_version_are_text_all_the_same(words: tuple[str, ...]) -> None:
    ran = lkm(*words)

    assert (ran.status, ran.out[:1] not in ("", "{")) == (0, True)


def test_help_of_all_with_json_is_the_help() -> None:
    assert lkm("help", "--json").out == lkm("help").out


def test_the_environment_does_not_ask_for_json(root: Path) -> None:
    options = [word.format(root=root) for word in TREE]
    ran = lkm("modprobe", *options, "-D", "lone", env={"MODPROBE_OPTIONS": "-q --json"})

    assert (ran.status, ran.out) == (1, "")
    assert "unrecognized option '--json'; give it on the command line" in ran.err
    ran = lkm("modprobe", *options, "-D", "lone", "--json", env={"MODPROBE_OPTIONS": "--json"})
    assert validate(ran.out)["schema"] == "lkm.error/1"
    ran = lkm("modprobe", *options, "-D", "lone", env={"MODPROBE_OPTIONS": "-C --json"})
    assert ran.out.startswith("insmod ")


def test_all_of_a_wrong_line_is_read_and_the_first_mistake_told() -> None:
    options = (Option("all", "a", ("all",), ""), Option("to", "t", ("to",), "", argument="X"))

    with pytest.raises(OptionError, match="invalid option -- 'x'") as raised:
        parse(options, ["-x", "--bad", "word", "--all", "-t", "--all"])

    assert raised.value.keys == ("all", "to")


def test_a_message_is_bare_and_its_bytes_come_back(root: Path) -> None:
    (root / "x.conf").write_bytes(b"b\xffd line\nalias [\xff x\n")
    options = [word.format(root=root) for word in TREE]

    ran = lkm("modprobe", *options, "-C", str(root / "x.conf"), "-c", "--json")

    document = document_of(ran.out)
    texts = [str(each["text"]) for each in document["messages"]]
    assert texts[0] == f"{root}/x.conf line 1: ignoring bad line starting with 'b\udcffd'"
    assert "libkmod: ERROR: kmod_config_parse: " + texts[0] in ran.err
    problems = [str(each["problem"]) for each in document["complaints"]]
    assert problems[0] == "unknown command 'b\udcffd'"
    assert problems[1].startswith("bad name '[\udcff'")


def test_a_complaint_of_depmod_is_bare(root: Path) -> None:
    (root / "x.conf").write_bytes(b"what\x1b\xff\n")

    ran = lkm("depmod", "-b", str(root), "-C", str(root / "x.conf"), "--json", RELEASE)

    (message,) = document_of(ran.out)["messages"]
    text = str(message["text"])
    assert text == f"{root}/x.conf:1: ignoring bad line starting with 'what\x1b\udcff'"
    assert ran.err == f"depmod: ERROR: {text}\n"

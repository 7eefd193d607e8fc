"""lsmod's document: all of /proc/modules and /sys/module, on a made-up machine."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lkm.kernel.live import LiveKernel
from lkm.report.documents.loaded import lsmod_document
from lkm.report.documents.writing import write_whole
from lkm.report.text import lsmod_table
from tests.cli.running import lkm
from tests.kernel.test_sysfs import FILES, a_folder
from tests.report import retelling
from tests.report.validating import validate

LISTED = """\
snd 16384 2 other,[permanent], Live 0xffffffffc0201000 (OE)
other 20480 0 - Loading 0x0000000000000000
plain 4096 - - Live 0xffffffffc0301000
left 4096 0 - Unloading 0xffffffffc0401000
"""


def a_machine(root: Path) -> LiveKernel:
    a_folder(root / "proc", {"modules": LISTED, "version": "Linux\n"})
    a_folder(root / "proc/sys/kernel", {"osrelease": "6.1.0-test\n"})
    sys = root / "sys/module"
    a_folder(sys / "snd", {**FILES, "holders/other": "", "refcnt": "2\n"})
    a_folder(sys / "other", {"coresize": "20480\n", "initstate": "coming\n", "refcnt": "0\n"})
    a_folder(sys / "plain", {"coresize": "4096\n", "initstate": "live\n"})
    a_folder(sys / "printk", {"parameters/time": "N\n"})
    (sys / "compression").write_text("zstd\n")
    return LiveKernel(str(root))


def document_of(kernel: LiveKernel) -> str:
    out = io.StringIO()
    write_whole(lsmod_document(kernel, *kernel.snapshot()), None, [], out)
    validate(out.getvalue())
    return out.getvalue()


def test_the_text_is_in_the_document(tmp_path: Path) -> None:
    kernel = a_machine(tmp_path)

    assert retelling.lsmod(document_of(kernel)) == lsmod_table(kernel.modules())


def test_the_kernels_own_taints_are_there_also_where_no_module_has_them(tmp_path: Path) -> None:
    kernel = a_machine(tmp_path)
    assert json.loads(document_of(kernel))["tainted"] is None

    (tmp_path / "proc/sys/kernel/tainted").write_text("4736\n")

    whole = json.loads(document_of(kernel))
    assert (whole["tainted"], whole["taints"]) == (4736, "DWO")


def test_every_file_is_in_the_document(tmp_path: Path) -> None:
    document = document_of(a_machine(tmp_path))

    whole = json.loads(document)
    assert [module["name"] for module in whole["modules"]] == ["snd", "other", "plain"]
    assert ([each["name"] for each in whole["builtin"]], whole["compression"]) == (
        ["printk"],
        "zstd",
    )
    snd, other, plain = whole["modules"]
    assert (snd["taints"], snd["permanent"], snd["initsize"]) == ("OE", True, 4096)
    assert snd["sections"][".text"] == snd["address"] == "0xffffffffc0201000"
    assert (other["address"], other["state"], other["sections"]) == (None, "coming", None)
    assert plain["refcnt"] is None
    for name, text in FILES.items():
        value = text.removesuffix("\n")
        hidden = name in ("uevent", "sections/.hidden", "sections/.odd", "refcnt")
        if name.startswith("notes/"):
            assert value.encode().hex() in document
        elif not hidden:
            shown = json.dumps(value)
            assert shown in document or value in document, name


def test_what_folders_and_links_hold_is_in_the_document(tmp_path: Path) -> None:
    kernel = a_machine(tmp_path)
    folder = tmp_path / "sys/module/snd"
    (folder / "drivers").mkdir()
    (folder / "drivers/pci:snd").symlink_to("../../bus/pci/drivers/snd")

    snd = json.loads(document_of(kernel))["modules"][0]

    assert snd["notes"] == {".note.gnu.build-id": "04"}
    assert snd["folders"] == {"more": {"inside": "hello", "deeper": {"still": "there"}}}
    assert snd["drivers"] == ["pci:snd"]
    assert snd["links"] == {"drivers/pci:snd": "../../bus/pci/drivers/snd"}


@pytest.mark.parametrize(("version", "modules"), [(True, []), (False, None)])
def test_without_a_list_the_parts_of_the_kernel_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, version: bool, modules: list[str] | None
) -> None:
    kernel = a_machine(tmp_path)
    (tmp_path / "proc/modules").unlink()
    if not version:
        (tmp_path / "proc/version").unlink()
    monkeypatch.setattr("lkm.cli.lsmod.open_kernel", lambda _on, _console: kernel)

    ran = lkm("lsmod", "--json")

    document = validate(ran.out)
    assert (ran.status, document["schema"], document["modules"]) == (1, "lkm.lsmod/1", modules)
    assert [each["name"] for each in json.loads(ran.out)["builtin"]] == ["printk"]
    assert "could not open /proc/modules" in json.loads(ran.out)["messages"][0]["text"]


def test_without_list_and_sysfs_there_is_only_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = LiveKernel(str(tmp_path))
    monkeypatch.setattr("lkm.cli.lsmod.open_kernel", lambda _on, _console: kernel)

    assert validate(lkm("lsmod", "--json").out)["schema"] == "lkm.error/1"


def test_without_sysfs_the_list_is_all(tmp_path: Path) -> None:
    a_folder(tmp_path / "proc", {"modules": LISTED, "version": "Linux\n"})
    kernel = LiveKernel(str(tmp_path))

    whole = json.loads(document_of(kernel))

    assert [module["name"] for module in whole["modules"]] == ["snd", "other", "plain", "left"]
    assert whole["builtin"] == []
    assert whole["modules"][0]["sections"] is None

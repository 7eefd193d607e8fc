"""lsmod's document: all of /proc/modules and /sys/module, on a made-up machine."""

from __future__ import annotations

import io
import json
from pathlib import Path

from lkm.kernel.live import LiveKernel
from lkm.report.documents.loaded import lsmod_document
from lkm.report.documents.writing import write_whole
from lkm.report.text import lsmod_table
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
    write_whole(lsmod_document(kernel, kernel.modules()), None, [], out)
    validate(out.getvalue())
    return out.getvalue()


def test_the_text_is_in_the_document(tmp_path: Path) -> None:
    kernel = a_machine(tmp_path)

    assert retelling.lsmod(document_of(kernel)) == lsmod_table(kernel.modules())


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
        hidden = name in ("uevent", "sections/.hidden", "sections/.odd", "refcnt", "more/inside")
        if not hidden and not name.startswith("notes/"):
            shown = json.dumps(value)
            assert shown in document or value in document, name


def test_a_module_that_goes_between_list_and_folders_is_left_out(tmp_path: Path) -> None:
    kernel = a_machine(tmp_path)
    listed = kernel.modules()
    (tmp_path / "sys/module/snd").rename(tmp_path / "gone")

    modules = lsmod_document(kernel, listed)["modules"]

    assert isinstance(modules, list)
    assert [module["name"] for module in modules] == ["other", "plain"]


def test_without_sysfs_the_list_is_all(tmp_path: Path) -> None:
    a_folder(tmp_path / "proc", {"modules": LISTED, "version": "Linux\n"})
    kernel = LiveKernel(str(tmp_path))

    whole = json.loads(document_of(kernel))

    assert [module["name"] for module in whole["modules"]] == ["snd", "other", "plain", "left"]
    assert whole["builtin"] == []
    assert whole["modules"][0]["sections"] is None

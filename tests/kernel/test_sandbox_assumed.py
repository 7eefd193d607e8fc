"""Where nothing tells what the kernel exports, an insert that hangs on it is not decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import CannotTellError, UnknownSymbolError
from lkm.kernel.sandbox import Sandbox
from tests.kernel.images import a_known_sandbox
from tests.kernel.trees import GPL, LAYOUT_CRC, RELEASE, a_sandbox, a_signed, an_image, module_file

NOWHERE = {"imports": ("nowhere",), "versions": {"module_layout": LAYOUT_CRC, "nowhere": 1}}


def untouched(sandbox: Sandbox) -> bool:
    return (sandbox.modules(), sandbox.log(), sandbox.status().tainted) == ((), (), 0)


@pytest.mark.parametrize(
    ("parts", "check"),
    [
        (NOWHERE, "unknown-symbol"),
        ({"license": "Secret"}, "gpl-only"),
        ({"versions": {"module_layout": 9}}, "crc"),
    ],
)
def test_what_hangs_on_assumed_exports_is_not_decided(
    tmp_path: Path, parts: dict[str, object], check: str
) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    with pytest.raises(CannotTellError) as caught:
        sandbox.insert(an_image(a_signed("tiny", **parts)))

    assert caught.value.check == check
    assert "boot" in caught.value.remedy
    assert untouched(sandbox)


def test_what_a_module_of_the_tree_exports_the_kernel_does_not(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)

    with pytest.raises(UnknownSymbolError):
        sandbox.insert(module_file(root, "middle"))


def test_a_refusal_that_is_certain_stays_one(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    with pytest.raises(UnknownSymbolError):
        sandbox.insert(an_image(a_signed("tiny", imports=("nowhere", "plain"))))


def test_a_proprietary_module_may_be_refused_by_what_is_known(tmp_path: Path) -> None:
    modules = {"base": a_signed("base", exports=(GPL,))}
    sandbox, root = a_sandbox(tmp_path, modules=modules)
    sandbox.insert(module_file(root, "base"))

    with pytest.raises(UnknownSymbolError) as caught:
        sandbox.insert(an_image(a_signed("tiny", license="Secret", imports=("gpl",))))

    assert caught.value.check == "gpl-only"


def test_with_a_list_of_exports_it_is_decided(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path)

    sandbox.insert(an_image(a_signed("tiny", license="Secret")))
    with pytest.raises(UnknownSymbolError):
        sandbox.insert(an_image(a_signed("other", **NOWHERE)))

    assert [module.name for module in sandbox.modules()] == ["tiny"]


def test_whose_signature_cannot_be_verified_is_not_let_in_where_one_is_demanded(
    tmp_path: Path,
) -> None:
    sandbox, root = a_sandbox(tmp_path)  # without an image nobody knows whom it trusts
    for words in ("module.sig_enforce=1", "lockdown=integrity"):
        sandbox.boot(RELEASE, str(root), command_line=words)

        with pytest.raises(CannotTellError) as caught:
            sandbox.insert(module_file(root, "alone"))

        assert caught.value.check == "signature"
        assert untouched(sandbox)


def test_the_line_of_lockdown_names_who_asks(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path)
    sandbox.boot(RELEASE, str(root), command_line="lockdown=integrity")
    unsigned = an_image(a_signed("tiny")[:-1], "tiny")

    for name, shown in (("insmod", "insmod"), ("a-name-of-18-bytes", "a-name-of-18-by")):
        asking = Sandbox(sandbox.path, asking=name)
        with pytest.raises(Exception, match="permit"):
            asking.insert(unsigned)
        assert sandbox.log()[-1].text.startswith(f"Lockdown: {shown}: unsigned module")

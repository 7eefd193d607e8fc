"""Writing to the sandbox's files: parameters, sysctls, and what takes nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import CannotTellError, FileError, NotPermittedError
from lkm.kernel.sandbox import Sandbox
from lkm.names import ModuleName
from tests.kernel.trees import VERMAGIC, a_sandbox, an_image
from tests.loader.parameter_modules import DECLARED, a_parameter_module

PARAMETERS = "/sys/module/tiny/parameters"
SYSCTLS = "/proc/sys/kernel"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return a sandbox with a module whose parameters can be written, save "unum" and "large"."""
    for name, (operations, mode, flags) in DECLARED.items():
        if mode == 0o444 and name not in {"unum", "large"}:
            monkeypatch.setitem(DECLARED, name, (operations, 0o644, flags))
    data = a_parameter_module(vermagic=VERMAGIC)
    sandbox, _root = a_sandbox(tmp_path, modules={"tiny": data})
    sandbox.insert(an_image(data))
    return sandbox


def refused(sandbox: Sandbox, path: str, value: str) -> int:
    with pytest.raises(FileError) as caught:
        sandbox.write(path, value)
    assert caught.value.path == path
    return caught.value.errno


def parameter(sandbox: Sandbox, name: str) -> str:
    return sandbox.read(f"{PARAMETERS}/{name}").decode()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("num", "77", "77\n"),
        ("num", "0x10\n", "16\n"),
        ("yes", "n", "N\n"),
        ("inv", "0", "N\n"),
        ("small", "255", "255\n"),
        ("list", "7,8,9", "7,8,9\n"),
        ("list", "5", "5\n"),
        ("buffer", "seven77", "seven77\n"),
        ("name", "kept\n", "kept\n\n"),
        ("num", "", "-1\n"),
    ],
)
def test_a_parameter_shows_what_was_written(
    sandbox: Sandbox, name: str, value: str, shown: str
) -> None:
    sandbox.write(f"{PARAMETERS}/{name}", value)

    assert parameter(sandbox, name) == shown


@pytest.mark.parametrize(
    ("name", "value", "number", "logged"),
    [
        ("num", "zz", errno.EINVAL, ()),
        ("small", "256", errno.ERANGE, ()),
        ("yes", "maybe", errno.EINVAL, ()),
        ("buffer", "eight888", errno.ENOSPC, ("buffer: string doesn't fit in 7 chars.",)),
        ("name", "x" * 1025, errno.ENOSPC, ("name: string parameter too long",)),
        ("unum", "3", errno.EACCES, ()),
    ],
)
def test_a_bad_value_changes_nothing_and_is_not_named_in_the_log(
    sandbox: Sandbox, name: str, value: str, number: int, logged: tuple[str, ...]
) -> None:
    before, lines = parameter(sandbox, name), len(sandbox.log())

    assert refused(sandbox, f"{PARAMETERS}/{name}", value) == number

    assert parameter(sandbox, name) == before
    assert tuple([line.text for line in sandbox.log()[lines:]]) == logged


def test_elements_before_a_bad_one_stay_set(sandbox: Sandbox) -> None:
    assert refused(sandbox, f"{PARAMETERS}/list", "8,9,x") == errno.EINVAL
    assert parameter(sandbox, "list") == "8,9\n"
    assert refused(sandbox, f"{PARAMETERS}/list", "1,2,3,4,5") == errno.EINVAL
    assert parameter(sandbox, "list") == "1,2,3,4\n"
    assert sandbox.log()[-1].text == "list: can only take 4 arguments"


def test_an_unsafe_parameter_taints_the_kernel_even_where_the_value_is_bad(
    sandbox: Sandbox,
) -> None:
    assert refused(sandbox, f"{PARAMETERS}/danger", "x") == errno.EINVAL

    assert sandbox.status().taints.startswith("U")
    assert sandbox.log()[-1].text == "Setting dangerous option danger - tainting kernel"
    assert sandbox.modules()[0].taints == "OE"


def test_what_code_of_the_module_makes_of_a_value_cannot_be_told(sandbox: Sandbox) -> None:
    with pytest.raises(CannotTellError) as caught:
        sandbox.write(f"{PARAMETERS}/own", "1")

    assert "code of the module" in str(caught.value)


def test_what_can_only_be_written_is_written(sandbox: Sandbox) -> None:
    sandbox.write(f"{PARAMETERS}/secret", "4")

    assert refused(sandbox, f"{PARAMETERS}/secret", "x") == errno.EINVAL


def test_parameters_of_a_module_that_is_gone_are_gone(sandbox: Sandbox) -> None:
    sandbox.remove(ModuleName("tiny"))

    assert refused(sandbox, f"{PARAMETERS}/num", "1") == errno.ENOENT


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/sys/module/tiny/refcnt", errno.EACCES),
        ("/sys/module/tiny/sections/.text", errno.EACCES),
        ("/sys/module/tiny", errno.EISDIR),
        ("/sys/module/tiny/nothing", errno.ENOENT),
        ("/sys/module/tiny/refcnt/more", errno.ENOTDIR),
        ("/proc/modules", errno.EIO),
        ("/proc/kallsyms", errno.EIO),
        ("/proc/version", errno.EIO),
        (f"{SYSCTLS}/osrelease", errno.EACCES),
        ("/etc/passwd", errno.ENOENT),
    ],
)
def test_what_takes_nothing_says_so_as_the_kernel_does(
    sandbox: Sandbox, path: str, number: int
) -> None:
    assert refused(sandbox, path, "1") == number


def test_an_event_has_a_name(sandbox: Sandbox) -> None:
    sandbox.write("/sys/module/tiny/uevent", "add\n")

    assert refused(sandbox, "/sys/module/tiny/uevent", "nonsense") == errno.EINVAL
    assert sandbox.log()[-1].text == ("synth uevent: /module/tiny: unknown uevent action string")


def test_modules_disabled_is_set_once_and_for_all(sandbox: Sandbox) -> None:
    path = f"{SYSCTLS}/modules_disabled"
    assert [refused(sandbox, path, value) for value in ("0", "2", "x", "\n")] == [errno.EINVAL] * 4
    sandbox.write(path, "1\n")

    assert refused(sandbox, path, "0") == errno.EINVAL
    assert sandbox.read(path) == b"1\n"
    with pytest.raises(NotPermittedError):
        sandbox.remove(ModuleName("tiny"))
    with pytest.raises(NotPermittedError) as caught:
        sandbox.insert(an_image(a_parameter_module(name="other", vermagic=VERMAGIC), "other"))
    assert "modules_disabled" in caught.value.evidence


def test_kptr_restrict_hides_addresses_from_root_at_2(sandbox: Sandbox) -> None:
    path, section = f"{SYSCTLS}/kptr_restrict", "/sys/module/tiny/sections/.text"
    whole = sandbox.read("/proc/kallsyms")
    for value in ("-1", "3"):
        assert refused(sandbox, path, value) == errno.EINVAL
    sandbox.write(path, "1")
    assert sandbox.modules()[0].address is not None
    sandbox.write(path, "2")

    assert sandbox.read("/proc/modules").split()[5] == b"0x0000000000000000"
    assert sandbox.modules()[0].address is None
    assert sandbox.read(section) == b"0x0000000000000000\n"
    hidden = sandbox.read("/proc/kallsyms")
    assert {line.split()[0] for line in hidden.splitlines()} == {b"0" * 16}
    sandbox.write(path, "0")
    assert sandbox.read("/proc/kallsyms") == whole != hidden


def test_taints_can_be_added_and_never_taken_back(sandbox: Sandbox) -> None:
    sandbox.write(f"{SYSCTLS}/tainted", "8")
    sandbox.write(f"{SYSCTLS}/tainted", "0")

    assert sandbox.read(f"{SYSCTLS}/tainted") == b"12296\n"
    assert refused(sandbox, f"{SYSCTLS}/tainted", "many") == errno.EINVAL

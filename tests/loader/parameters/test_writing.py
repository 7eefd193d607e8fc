"""Writing a parameter's file."""

from __future__ import annotations

import errno

from lkm.loader.findings import LogLine
from lkm.loader.parameters.declared import Parameter
from lkm.loader.parameters.writing import write_parameter
from lkm.loader.taint import UNTAINTED

HARDWARE = Parameter(name="irq", type="int", mode=0o644, unsafe=True, values=("3",), hardware=True)
KEPT = Parameter(name="kept", type="bool_enable_only", mode=0o644, unsafe=False, values=("Y",))


def test_a_lock_down_keeps_what_is_about_hardware_and_taints_nothing() -> None:
    written = write_parameter(HARDWARE, "5", locked_down=True)

    assert (written.errno, written.parameter) == (errno.EPERM, HARDWARE)
    text = "Lockdown: sh: unsafe module parameters is restricted; see man kernel_lockdown.7"
    assert written.log == (LogLine(5, text),)
    assert written.kernel_taint == UNTAINTED
    assert write_parameter(HARDWARE, "5").errno == 0


def test_what_can_only_be_set_is_not_unset() -> None:
    written = write_parameter(KEPT, "n\n")

    assert (written.errno, written.parameter.values, written.log) == (errno.EROFS, ("Y",), ())
    assert write_parameter(KEPT, "y\n").errno == 0

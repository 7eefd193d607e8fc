"""What kernels wrote when they oopsed and panicked; ``consoles`` has it from real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.lab.faults import find_fault

CONSOLES = Path(__file__).parent / "consoles"
NULL = "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000"
# The kind, the title, the module at work, whether all of it had come.
REAL = {
    "x86-oops.txt": (
        "oops",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "tm_oops",
        True,
    ),
    "x86-nmi.txt": ("panic", "Kernel panic - not syncing: NMI: Not continuing", "tm_oops", False),
    "x86-panic-6.12.txt": (
        "panic",
        "Kernel panic - not syncing: sysrq triggered crash",
        "",
        False,
    ),
    "arm64-oops.txt": ("oops", NULL, "dummy", True),
    "arm64-panic.txt": ("panic", "Kernel panic - not syncing: sysrq triggered crash", "", False),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_kernels_fault_is_found(name: str) -> None:
    fault = find_fault((CONSOLES / name).read_text())

    assert fault is not None
    assert (fault.kind, fault.title, fault.module, fault.ended) == REAL[name]
    assert fault.lines[0] == fault.title
    assert not [line for line in fault.lines if line.startswith("[    ")]


@pytest.mark.parametrize("name", ["x86-oops.txt", "arm64-oops.txt"])
def test_an_oops_ends_with_its_trace_and_before_that_is_not_whole(name: str) -> None:
    text = (CONSOLES / name).read_text()
    fault = find_fault(text)
    assert fault is not None
    assert fault.lines[-1] == "---[ end trace 0000000000000000 ]---"

    cut = find_fault(text.partition("---[ end")[0])
    assert cut is not None
    assert not cut.ended


def test_cut_anywhere_a_console_is_still_read() -> None:
    text = (CONSOLES / "x86-oops.txt").read_text()
    for end in range(0, len(text), 41):
        fault = find_fault(text[:end])
        assert fault is None or fault.kind == "oops"


def test_the_module_is_the_one_that_is_on_its_way_and_else_that_of_the_trace() -> None:
    start = "Oops: 0002 [#1] SMP\n"

    def module(linked: str, *trace: str) -> str:
        fault = find_fault("\n".join([start, *trace, f"Modules linked in: {linked}"]))
        assert fault is not None
        return fault.module

    assert module("vfat fat(E) mine(OE+) loop") == "mine"
    assert module("vfat mine(-)") == "mine"
    assert module("vfat mine+ loop") == "mine"
    assert module("vfat fat(E)", " work+0x1/0x20 [fat]", " call+0x1/0x2") == "fat"
    assert module("", " work+0x1/0x20 [fat 0123456789abcdef0123456789abcdef01234567]") == "fat"
    # Where nothing tells it is nobody; a process's name in brackets is no module.
    assert module("vfat fat(E)", " work+0x1/0x20", "insmod[101] exited") == ""


def test_an_oops_that_panics_is_a_panic_with_the_lines_of_both() -> None:
    text = (CONSOLES / "x86-oops.txt").read_text()
    fault = find_fault(f"{text}[    4.0] Kernel panic - not syncing: Fatal exception\n")

    assert fault is not None
    assert (fault.kind, fault.module) == ("panic", "tm_oops")
    assert fault.title == "Kernel panic - not syncing: Fatal exception"
    assert fault.lines[0].startswith("BUG: kernel NULL")
    assert fault.lines[-1] == fault.title


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[    1.0] WARNING: CPU: 0 PID: 1 at kernel/module.c:1 work+0x1/0x2 [mine]\n"
        "[    1.0] ---[ end trace 0000000000000000 ]---\n",
        "[    1.0] mine: loading out-of-tree module taints kernel.\n",
        "[    1.0] mine: said: BUG: kernel NULL pointer dereference\n",
        "[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:101]\n",
        "[    1.0] Internal error: the queue is full\n",
        "[    1.0] Oops: no such channel, general protection fault of the bus\n",
        "[    1.0] BUG: scheduling while atomic: insmod/101/0x00000002\n",
        "[    1.0] BUG: sleeping function called from invalid context at mm/slab.h:1\n",
        "[    1.0] BUG: using smp_processor_id() in preemptible [00000000] code: insmod/101\n",
    ],
)
def test_what_a_kernel_goes_on_after_is_no_fault(text: str) -> None:
    assert find_fault(text) is None


@pytest.mark.parametrize(
    "line",
    [
        "BUG: unable to handle page fault for address: ffffffffc0000000",
        "BUG: unable to handle kernel paging request at ffffffffc0000000",
        "general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
        "Oops: general protection fault, 0000 [#1] PREEMPT SMP",
        "kernel BUG at drivers/mine.c:7!",
        "BUG: TASK stack guard page was hit at 00000000abcdef01 (stack is 1..2)",
        "stack guard page: 0000 [#1] PREEMPT SMP NOPTI",
        "invalid opcode: 0000 [#1] SMP",
        "divide error: 0000 [#1] SMP",
        "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP",
        "Unable to handle kernel paging request at virtual address ffff800000000000",
    ],
)
@pytest.mark.parametrize("before", ["", "[    1.234567] ", "<1>[   12.3] ", "[    1.2][  T101] "])
def test_each_first_line_of_an_oops_is_known_whatever_stands_before_it(
    line: str, before: str
) -> None:
    fault = find_fault(f"{before}{line}\n")

    assert fault is not None
    assert (fault.kind, fault.title) == ("oops", line)

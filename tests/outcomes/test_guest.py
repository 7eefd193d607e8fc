from __future__ import annotations

import pytest

from lkm.errors import NoLabProgramError
from lkm.vmlinux.image import KernelImage
from tests.conftest import missing
from tests.debian import NotHere
from tests.outcomes.build import build
from tests.outcomes.guest import Boot, Seen, parse, run
from tests.vmlinux.kernels import real_kernel

UNSIGNED = (
    "4 tm_exp: loading out-of-tree module taints kernel.",
    "5 tm_exp: module verification failed: signature and/or required key missing - tainting kernel",
)
OPERATIONS = (
    "load /ko/tm_exp.ko 0",
    "load /ko/tm_dep.ko 0",
    "sys tm_exp/holders",
    "syms tm_dep tm_exp",
    "umode del tm_dep 0x800",
    "del tm_exp 0x200",
    "load /ko/tm_useprop.ko 0",
    "iload /ko/tm_kinds.ko hex=0x10 words=a,b",
    "cat /sys/module/tm_kinds/parameters/words",
    "raw delnull",
    "taint",
    "clear",
    "bgload /ko/tm_slow.ko 0 ms_in=300 ret=-19",
    "bgload /ko/tm_hang.ko 0",
    "mods",
    "iload /ko/tm_slow.ko",
    "del tm_hang 0x800",
    "killbg",
    "load /ko/tm_oops.ko 0",
    "del tm_oops 0x800",
    "write /proc/sysrq-trigger c",
    "mods",
)


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def seen(request: pytest.FixtureRequest) -> dict[str, Seen]:
    """Return what came of each operation on one kernel, by operation."""
    try:
        kernel = real_kernel(str(request.param))
        files = {f"{name}.ko": data for name, data in build(kernel.release).items()}
        image = KernelImage.open(str(kernel.image)).data
        answers = run(image, Boot(files=files, operations=OPERATIONS), timeout_s=60)
    except NotHere as error:
        missing("debian", str(error))
        raise
    except NoLabProgramError as error:
        missing("lab", str(error))
        raise
    assert tuple(one.op for one in answers) == OPERATIONS[:-1]
    return {one.op: one for one in answers}


@pytest.mark.lab
@pytest.mark.debian
class TestARealKernel:
    def test_loads_with_its_log_and_refuses_by_the_name_of_the_errno(
        self, seen: dict[str, Seen]
    ) -> None:
        assert seen["load /ko/tm_exp.ko 0"] == Seen(
            op="load /ko/tm_exp.ko 0", returned=(0,), log=UNSIGNED
        )
        assert seen["del tm_exp 0x200"].returned == ("EAGAIN",)
        refused = seen["load /ko/tm_useprop.ko 0"]
        assert refused.returned == ("ENOENT",)
        assert refused.log == ("4 tm_useprop: Unknown symbol tm_prop_val (err -2)",)

    def test_shows_its_files_and_symbols(self, seen: dict[str, Seen]) -> None:
        assert seen["sys tm_exp/holders"].out == ("777 holders/tm_dep -> ../../tm_dep",)
        names = [line.split()[1:] for line in seen["syms tm_dep tm_exp"].kallsyms]
        assert ["T", "tm_dep_twice"] in names
        assert ["t", "tm_exp_gpl"] in names
        assert names.index(["T", "tm_dep_twice"]) < names.index(["T", "tm_exp_plain"])
        assert seen["cat /sys/module/tm_kinds/parameters/words"].out == ("a,b",)
        assert seen["taint"].tainted == 1 << 12 | 1 << 13

    def test_refuses_odd_calls_and_other_users(self, seen: dict[str, Seen]) -> None:
        assert seen["umode del tm_dep 0x800"].returned == ("EPERM",)
        assert seen["raw delnull"].returned == ("EFAULT",)

    def test_is_cleared_of_all_modules(self, seen: dict[str, Seen]) -> None:
        assert seen["clear"] == Seen(op="clear", returned=(3,))

    def test_is_asked_while_inits_run(self, seen: dict[str, Seen]) -> None:
        states = [line.split()[4] for line in seen["mods"].modules]
        assert states == ["Loading", "Loading"]
        assert seen["iload /ko/tm_slow.ko"].returned == ("EBUSY",)
        assert seen["del tm_hang 0x800"].returned == ("EBUSY",)
        assert seen["killbg"].returned == ("ENODEV", "KILLED")

    def test_goes_on_after_an_oops_in_an_init(self, seen: dict[str, Seen]) -> None:
        oops = seen["load /ko/tm_oops.ko 0"]
        assert oops.returned == ("KILLED",)
        assert oops.log[0] == "1 BUG: kernel NULL pointer dereference, address: 0000000000000000"
        assert seen["del tm_oops 0x800"].returned == ("EBUSY",)

    def test_dies_and_what_it_said_last_is_told(self, seen: dict[str, Seen]) -> None:
        last = seen["write /proc/sysrq-trigger c"]
        assert last.returned == ()
        assert any("sysrq triggered crash" in line for line in last.died)


def test_what_was_seen_survives_json() -> None:
    seen = Seen(
        op="wait",
        returned=(0, "EBUSY", -4095),
        log=("4 text",),
        modules=("m 1 0 - Live 0x0",),
        out=("444 taint OE",),
        kallsyms=("0 t a",),
        tainted=0,
        died=("oops",),
    )

    assert Seen.from_json(seen.to_json()) == seen
    assert Seen.from_json(Seen(op="mods").to_json()) == Seen(op="mods")
    assert list(seen.to_json())[:2] == ["op", "ret"]


@pytest.mark.parametrize(
    "table",
    [
        [],
        {},
        {"op": 1},
        {"op": "mods", "log": "text"},
        {"op": "mods", "ret": 0},
        {"op": "taint", "tainted": "0"},
        {"op": "mods", "typo": []},
    ],
)
def test_a_table_that_is_none_of_ours_is_refused(table: object) -> None:
    with pytest.raises(ValueError, match=r"no operation|no list|tainted|unknown keys"):
        Seen.from_json(table)


def test_lines_that_no_operation_causes_are_left_out() -> None:
    output = "@op mods\n@log 6 tsc: Refined TSC clocksource calibration\n@log 4 tsc_mod: text\n"

    assert parse(output) == (Seen(op="mods", log=("4 tsc_mod: text",)),)


def test_output_cut_by_the_guests_end_is_read_as_far_as_it_goes() -> None:
    output = "@op case a\n@op load x 0\n@lo"

    assert parse(output, ("oops",)) == (
        Seen(op="case a"),
        Seen(op="load x 0", died=("oops",)),
    )
    assert parse("", ("oops",)) == (Seen(op="", died=("oops",)),)
    with pytest.raises(ValueError, match="the agent said '@lo'"):
        parse(output)


def test_an_operation_that_the_agent_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="'lod a': no such operation"):
        parse("@op lod a\n@bad no such operation\n")

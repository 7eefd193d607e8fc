"""The sandbox passes the contract: with kernels as distributions have them, and made-up ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lkm.errors import KernelError
from lkm.kernel.apply import image_for
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.sandbox_inserting import NEVER
from lkm.names import ModuleName
from lkm.tree.depmod.indexes import build_indexes
from tests.builders.elf import AnExport
from tests.kernel import contract
from tests.kernel.bench import Bench
from tests.kernel.contract import Check
from tests.kernel.images import saved_facts
from tests.kernel.trees import LAYOUT_CRC, PRINTK_CRC, RELEASE, a_signed
from tests.kernel.unfit import write_unfit
from tests.outcomes.records import Record, all_records

TINY = (
    *("tm_exp", "tm_dep", "tm_usegpl", "tm_ok", "tm_level1", "tm_level2", "tm_level3", "tm_level4"),
    *("tm_params", "tm_hold", "tm_missing", "tm_noexit", "tm_ret", "tm_slow", "tm_useslow"),
)
RECORDED = {record.release: record for record in all_records()}
MADE_UP = {"made up": False, "made up, its image known": True}
# The made-up modules have no parameters.
WANT_PARAMETERS: frozenset[Check] = frozenset(
    {
        contract.check_parameters_are_visible,
        contract.check_a_value_that_does_not_fit_refuses_the_module,
        contract.check_a_parameter_that_it_has_not_is_passed_over,
    }
)
# Of a kernel whose exports are not known nobody can say that a symbol is not among them.
WANT_EXPORTS: frozenset[Check] = frozenset(
    {contract.check_a_symbol_that_nobody_exports_is_an_unknown_one}
)
LEFT_OUT = {"made up": WANT_PARAMETERS | WANT_EXPORTS, "made up, its image known": WANT_PARAMETERS}
CASES = [
    pytest.param(kernel, check, id=f"{kernel}-{check.__name__.removeprefix('check_')}")
    for kernel in (*RECORDED, *MADE_UP)
    for check in contract.CHECKS
    if check not in contract.LIVE_ONLY | LEFT_OUT.get(kernel, frozenset())
]
CRCS = {"module_layout": LAYOUT_CRC, "_printk": PRINTK_CRC}


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives the folder of a kernel by its name: ``root``, ``unfit``, and its state."""
    made: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("contract")
            if name in RECORDED:
                boot_recorded(folder, RECORDED[name])
            else:
                boot_made_up(folder, known=MADE_UP[name])
            made[name] = folder
        return made[name]

    return folder_of


@pytest.mark.parametrize(("kernel", "check"), CASES)
def test_the_sandbox_keeps_the_contract(
    kernel: str, check: Check, booted: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = booted(kernel)
    release = kernel if kernel in RECORDED else RELEASE
    state = shutil.copy(folder / "state", tmp_path / "state")

    with Sandbox(str(state)) as sandbox:
        contract.run(check, a_bench(sandbox, folder, release))


def test_every_check_has_a_name_and_there_are_many() -> None:
    assert len(contract.CHECKS) > 30
    assert len({check.__name__ for check in contract.CHECKS}) == len(contract.CHECKS)


def a_bench(sandbox: Sandbox, folder: Path, release: str) -> Bench:
    directory = f"{folder}/root/lib/modules/{release}"

    def hold(name: ModuleName, on: bool) -> None:
        (sandbox.hold if on else sandbox.release_hold)(name)

    def slow_init(name: ModuleName, _seconds: float, returns: int) -> Callable[[], int]:
        with another(sandbox) as other:
            other.insert(image_for(other, f"{directory}/kernel/{name}.ko"), init_returns=NEVER)

        def wait() -> int:
            with another(sandbox) as other:
                try:
                    other.finish(name, returns)
                except KernelError as error:
                    return error.errno
            return -returns

        return wait

    return Bench(
        kernel=sandbox,
        directory=directory,
        files=str(folder / "unfit"),
        read=sandbox.read,
        say_init=sandbox.answer,
        hold=hold,
        slow_init=slow_init,
    )


@contextmanager
def another(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Open the same kernel as another process does."""
    with Sandbox(sandbox.path) as other:
        yield other


def boot_recorded(folder: Path, record: Record) -> None:
    """Boot a kernel of Debian's, with the tiny modules that were built for it."""
    kernel = record.unpack(folder / "root")
    boot(folder, record.release, kernel.tiny)


def boot_made_up(folder: Path, *, known: bool) -> None:
    """Boot a kernel that there is not; of its image nothing is known, or what is saved of it."""
    if known:
        (folder / "root/boot").mkdir(parents=True)
        (folder / f"root/boot/facts-{RELEASE}").write_bytes(saved_facts())
    modules = made_up_modules()
    boot(folder, RELEASE, modules.__getitem__)


def boot(folder: Path, release: str, tiny: Callable[[str], bytes]) -> None:
    directory = folder / "root/lib/modules" / release
    (directory / "kernel").mkdir(parents=True)
    for name in TINY:
        (directory / f"kernel/{name}.ko").write_bytes(tiny(name))
    for index, data in build_indexes(str(directory)).files.items():
        (directory / index).write_bytes(data)
    write_unfit(folder / "unfit", tiny)
    with Sandbox(str(folder / "state")) as sandbox:
        sandbox.boot(release, str(folder / "root"))


def made_up_modules() -> dict[str, bytes]:
    """Build modules with the names, exports and imports of the tiny ones, as far as that goes."""
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(TINY, ())
    needs |= {
        "tm_dep": ("tm_exp_plain",),
        "tm_usegpl": ("tm_exp_gpl",),
        "tm_level2": ("tm_level1_val",),
        "tm_level3": ("tm_level2_val",),
        "tm_level4": ("tm_level1_val", "tm_level3_val"),
        "tm_missing": ("tm_nowhere", "tm_nowhere2"),
        "tm_useslow": ("tm_slow_val",),
    }
    offers = {"tm_exp": ("tm_exp_plain", "tm_exp_gpl"), "tm_slow": ("tm_slow_val",)}
    offers |= {f"tm_level{number}": (f"tm_level{number}_val",) for number in (1, 2, 3)}
    numbers = {name: 100 + at for at, name in enumerate(sum(offers.values(), ()))}
    return {
        name: a_signed(
            name,
            imports=("_printk", *needed),
            exports=[AnExport(name=each, crc=numbers[each]) for each in offers.get(name, ())],
            versions={**CRCS, **{each: numbers.get(each, 1) for each in needed}},
            exit=name != "tm_noexit",
        )
        for name, needed in needs.items()
    }

"""The real kernels that cases are held against, and where their modules come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lkm.module.file import read_image
from lkm.names import is_module_file, module_name_of_path
from lkm.vmlinux.btf import Btf, KernelBtf, read_btf
from lkm.vmlinux.facts import VmlinuxFacts, read_facts
from lkm.vmlinux.image import KernelImage
from tests.debian import newest, unpacked
from tests.outcomes import build
from tests.outcomes.case import Case, Modules, Series, Step
from tests.outcomes.cases import CASES
from tests.outcomes.guest import Boot, Seen, run

_PACKAGES: Mapping[str, str] = {
    "6.1": r"^linux-image-6\.1\.0-[0-9]+-amd64$",
    "6.12": r"^linux-image-6\.12\.[0-9]+\+deb12-amd64$",
}
# Which cases a kernel goes through, by the first two numbers of its release.
_CASES_FOR: Mapping[str, Series] = {"6.1": "6.1", "6.12": "6.12"}


class UnknownSeriesError(Exception):
    """Nobody has said which cases are for a kernel of that release."""

    def __init__(self, release: str) -> None:
        known = ", ".join(_CASES_FOR)
        super().__init__(
            f"there are cases for {known}, and {release} is none of these: put its series into "
            "the table _CASES_FOR of tests/outcomes/kernels.py, with the one that is nearest to it"
        )


def series_of(release: str) -> Series:
    """Return which cases are for a kernel of that *release*. Raises ``UnknownSeriesError``."""
    found = _CASES_FOR.get(".".join(release.split(".")[:2]))
    if found is None:
        raise UnknownSeriesError(release)
    return found


@dataclass(frozen=True)
class RealKernel:
    """A kernel of a Debian package that is unpacked in *root*."""

    package: str
    root: Path

    @classmethod
    def of(cls, package: str) -> RealKernel:
        """Return the kernel of *package*. Raises ``NotHere``."""
        return cls(package, unpacked(package))

    @cached_property
    def release(self) -> str:
        """Its release."""
        (tree,) = (self.root / "lib/modules").iterdir()
        return tree.name

    @cached_property
    def series(self) -> Series:
        """Which cases are for it. Raises ``UnknownSeriesError``."""
        return series_of(self.release)

    @cached_property
    def image(self) -> bytes:
        """The kernel, unpacked."""
        return self._image.data

    @cached_property
    def types(self) -> KernelBtf:
        """What the types of modules go on from."""
        found = read_btf(self._image)
        assert isinstance(found, Btf)
        return found.base

    @cached_property
    def facts(self) -> VmlinuxFacts:
        """What its image tells of it."""
        return read_facts(str(self.root / f"boot/vmlinuz-{self.release}"))

    @property
    def banner(self) -> str:
        """The line in which it tells its release and its build."""
        banner = self.facts.banner
        assert isinstance(banner, str)
        return banner

    @cached_property
    def _image(self) -> KernelImage:
        return KernelImage.open(str(self.root / f"boot/vmlinuz-{self.release}"))

    @cached_property
    def _tiny(self) -> Mapping[str, bytes]:
        return build.build(self.release)

    @cached_property
    def _paths(self) -> Mapping[str, Path]:
        found = (self.root / "lib/modules" / self.release).rglob("*.ko*")
        return {
            str(module_name_of_path(path.name)): path
            for path in sorted(found)
            if is_module_file(path.name)
        }

    def tiny(self, name: str) -> bytes:
        """Return the tiny module of that name, built for this kernel."""
        return self._tiny[name]

    def debian(self, name: str) -> bytes:
        """Return its own module of that name, unpacked."""
        return read_image(str(self._paths[name])).data

    def has(self, name: str) -> bool:
        """Tell whether it has a module of that name."""
        return name in self._paths

    def packed(self, name: str) -> bytes:
        """Return its own module of that name, as the package has it."""
        return self._paths[name].read_bytes()


def newest_kernel(series: Series) -> RealKernel:
    """Return the newest kernel of *series* that Debian has today. Raises ``NotHere``."""
    return RealKernel.of(newest(_PACKAGES[series]))


def cases_for(series: Series, word: str = "") -> tuple[Case, ...]:
    """Return the cases of a series whose ids hold *word*."""
    return tuple([case for case in CASES.values() if series in case.series and word in case.id])


def all_steps(cases: Sequence[Case]) -> list[tuple[Case, Step]]:
    """Return the steps of one case after the other, each between a mark and a clearing."""
    found: list[tuple[Case, Step]] = []
    for case in cases:
        steps = [Step(op=f"case {case.id}"), *case.steps, Step(op="clear")]
        found += [(case, _own(step, case)) for step in steps]
    return found


def _own(step: Step, case: Case) -> Step:
    """Return *step* with its files by the names that they have beside those of other cases."""

    return replace(
        step, op=step.op.replace("/ko/", f"/ko/{case.id}.") if "/ko/" in step.op else step.op
    )


def files_of(case: Case, modules: Modules) -> dict[str, bytes]:
    """Return the files of *case*, by the names that its steps use in a row of cases."""
    return {f"{case.id}.{name}.ko": make(modules) for name, make in case.files.items()}


def run_for_real(
    kernel: RealKernel, cases: Sequence[Case], *, timeout_s: float = 600
) -> tuple[Seen, ...]:
    """Run *cases*, which have one command line, in one boot of *kernel*."""
    files: dict[str, bytes] = {}
    for case in cases:
        files |= files_of(case, kernel)
    operations = tuple([step.op for _case, step in all_steps(cases)])
    boot = Boot(command_line=cases[0].command_line, files=files, operations=operations)
    return run(kernel.image, boot, timeout_s=timeout_s)


def in_boots(cases: Iterable[Case]) -> list[list[Case]]:
    """Return *cases* as they can share a boot: by command line; those that must be, alone."""
    shared: dict[str, list[Case]] = {}
    alone: list[list[Case]] = []
    for case in cases:
        if case.alone:
            alone.append([case])
        else:
            shared.setdefault(case.command_line, []).append(case)
    return [*shared.values(), *alone]


def steps_by_case(cases: Sequence[Case], seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    """Return what was seen of a row of *cases*, by case."""
    found: dict[str, list[Seen]] = {case.id: [] for case in cases}
    for (case, _step), each in zip(all_steps(cases), seen, strict=False):
        found[case.id].append(each)
    return found

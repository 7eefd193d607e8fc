"""Every row of the table, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import depmods, questions
from bench.timing import Contest
from bench.workshop import Workshop

MOST_MEMORY = 2.0
"""How many times kmod's memory depmod may take."""

_DEVICE = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"  # a network card, of e1000e


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: *most* and *aim* are ratios, our time by the other's; None where none is asked.

    Of a short work there are *times* as many pairs.
    """

    name: str
    prepare: Callable[[Workshop], Contest]
    most: float | None = None
    aim: float | None = None
    times: int = 1


def _depmods(kernel: str, called: str, *, most: list[float], aim: list[float]) -> list[Case]:
    return [
        Case(
            name=f"depmod, {called}, nothing remembered",
            most=most[0],
            aim=aim[0],
            prepare=partial(depmods.nothing_remembered, kernel=kernel),
        ),
        Case(
            name=f"depmod, {called}, one module changed",
            most=most[1],
            aim=aim[1],
            prepare=partial(depmods.one_changed, kernel=kernel),
        ),
        Case(
            name=f"depmod, {called}, one module changed that others need",
            most=most[1],
            aim=aim[1],
            prepare=partial(depmods.needed_changed, kernel=kernel),
        ),
        Case(
            name=f"depmod, {called}, nothing changed",
            prepare=partial(depmods.nothing_changed, kernel=kernel),
        ),
    ]


def _find(what: str, *criteria: str) -> Case:
    return Case(
        name=f"lkm find by {what}, against modinfo of all files",
        most=0.4,
        aim=0.2,
        prepare=partial(questions.find, criteria=criteria),
    )


def _kallsyms(what: str, work: str, file: str) -> Case:
    return Case(
        name=f"kallsyms, {what}, against splitting their lines",
        most=2.5,
        aim=1.5,
        times=3,
        prepare=partial(questions.kallsyms, work=work, file=file),
    )


CASES: tuple[Case, ...] = (
    *_depmods("6.1", "6.1", most=[0.8, 0.3], aim=[0.4, 0.2]),
    *_depmods("6.12", "6.12 xz", most=[0.6, 0.06], aim=[0.52, 0.03]),
    Case(name="depmod -A, nothing to do", most=5, aim=3.5, times=3, prepare=depmods.quick),
    Case(name="modinfo, all files in one call", most=1.0, aim=0.6, prepare=questions.modinfo),
    Case(
        name="modinfo -F depends, all files in one call",
        most=1.0,
        aim=0.6,
        prepare=lambda workshop: questions.modinfo(workshop, "-F", "depends"),
    ),
    Case(
        name="2,000 modaliases, against libkmod in one process",
        most=3,
        aim=1,
        prepare=questions.in_one_process,
    ),
    Case(
        name="2,000 modaliases, against a modprobe -R for each",
        most=0.1,
        aim=0.03,
        prepare=questions.by_modprobe,
    ),
    Case(name="modprobe -a -R, 2,000 modaliases", prepare=questions.by_one_modprobe),
    Case(name="modprobe -c", most=10, aim=5, times=3, prepare=questions.show_config),
    Case(
        name="start of lkm lsmod, against python3 -I -c pass",
        most=2.5,
        aim=1.6,
        times=5,
        prepare=questions.start,
    ),
    _find("name pattern", "snd_*"),
    _find("path", "--path", "drivers/net/wireless"),
    _find("description", "--description", "bluetooth"),
    _find("licence", "--license", "Dual BSD/GPL"),
    _find("author", "--author", "Torvalds"),
    _find("exported symbol", "--exports", "usb_register_driver"),
    _find("needed symbol", "--needs", "usb_register_driver"),
    _find("parameter", "--parameter", "debug"),
    _find("alias", "--alias", "pci:v00008086d*"),
    _find("modalias", "--modalias", _DEVICE),
    _find("firmware", "--firmware", "iwlwifi"),
    _find("signer", "--signer", "kernel key"),
    _find("author and alias", "--author", "Intel", "--alias", "pci:v00008086d*"),
    _kallsyms("a module came", "diff", "loaded"),
    _kallsyms("1 line in 100 went", "diff", "thinned"),
    _kallsyms("all addresses moved", "diff", "moved"),
    _kallsyms("a module came, of snapshots", "diff-saved", "loaded"),
    _kallsyms("all addresses moved, of snapshots", "diff-saved", "moved"),
    Case(
        name="kallsyms, one snapshot read back, against its text",
        times=3,
        prepare=partial(questions.kallsyms, work="load", file="before", against="parse"),
    ),
)

"""The benchmark computes what it says, and runs. What it measures is no test's business."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cases import CASES
from bench.depmods import contents
from bench.machine import disturbed
from bench.report import Outcome, met, number, times
from bench.timing import Compared, Contest, FailedError, Run, compare
from lkm.tree.trie.writer import build_index

ROOT = Path(__file__).parents[2]
MIB = 1 << 20


def a_bench(*words: str, cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "LKM_TEST_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_ratio_is_the_median_of_the_pairs_and_not_of_the_sides() -> None:
    compared = Compared(((1.0, 2.0), (9.0, 3.0), (2.0, 8.0), (3.0, 4.0), (4.0, 5.0)))

    assert compared.ratio == 0.75
    assert compared.spread == (0.25, 3.0)
    assert (compared.ours, compared.theirs) == (3.0, 4.0)


def test_the_two_run_in_turn_each_after_what_comes_before_it(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def a_run(letter: str) -> Run:
        def before() -> None:
            with log.open("a") as file:
                file.write(f"-{letter}")

        return Run(words=["sh", "-c", f"printf {letter.upper()} >>{log}"], before=before)

    pairs: list[int] = []
    compared = compare(Contest(ours=a_run("a"), theirs=a_run("b")), 2, pairs.append)

    assert log.read_text() == "-aA-bB" * 3
    assert pairs == [0, 1, 2]
    assert len(compared.pairs) == 2


def test_a_run_that_tells_its_time_is_believed() -> None:
    assert Run(words=["echo", "0.25"], tells=True).seconds() == 0.25


def test_a_run_takes_as_long_as_its_process() -> None:
    assert Run(words=["sleep", "0.05"]).seconds() >= 0.05


def test_a_program_that_fails_is_no_result() -> None:
    failing = Run(words=["sh", "-c", "echo why >&2; exit 3"])

    with pytest.raises(FailedError, match="status 3: why"):
        failing.seconds()
    Run(words=failing.words, statuses=frozenset({3})).seconds()


def test_answers_that_differ_are_no_result(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    contest = Contest(
        ours=Run(words=["sh", "-c", f"echo 1 >{ours}"]),
        theirs=Run(words=["sh", "-c", f"echo 2 >{theirs}"]),
        same=((ours, theirs),),
    )

    with pytest.raises(FailedError, match="differ"):
        compare(contest, 1, lambda _: None)


def test_what_is_compared_of_a_file_is_what_is_read_of_it(tmp_path: Path) -> None:
    outputs = tmp_path / "ours", tmp_path / "theirs"

    def contest(theirs: str) -> Contest:
        return Contest(
            ours=Run(words=["echo", "abc"], output=outputs[0]),
            theirs=Run(words=["echo", theirs], output=outputs[1]),
            same=(outputs,),
            read=lambda path: sorted(path.read_text()),
        )

    compare(contest("cba"), 1, lambda _: None)
    assert outputs[1].read_text() == "cba\n"  # of the last run alone
    with pytest.raises(FailedError, match="differ"):
        compare(contest("cbd"), 1, lambda _: None)


def test_the_entries_of_an_index_are_compared(tmp_path: Path) -> None:
    paths = tmp_path / "modules.a.bin", tmp_path / "modules.b.bin"
    for path, value in zip(paths, ("one", "other"), strict=True):
        path.write_bytes(build_index([("key", value, 1)]))

    assert contents(paths[0]) == [("key", "one", 1)]
    assert contents(paths[0]) != contents(paths[1])


@pytest.mark.parametrize(("load", "cores", "warned"), [(0.4, 2, False), (0.41, 2, True)])
def test_a_machine_with_other_work_is_warned_of(load: float, cores: int, warned: bool) -> None:
    assert bool(disturbed(load, cores)) is warned


def test_peak_memory_is_the_sum_of_all_processes_peaks() -> None:
    program = f"""
import os, sys, time
child = os.fork() if sys.argv[1] == "two" else 0
data = b"x" * {40 * MIB}
del data
time.sleep(0.2)
if child: os.waitpid(child, 0)
"""

    def peak(processes: str) -> int:
        return Run(words=[sys.executable, "-I", "-S", "-c", program, processes]).peak()

    assert 40 * MIB < peak("one") < 80 * MIB < peak("two") < 160 * MIB


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(0.2, "aim"), (0.21, "yes"), (0.4, "yes"), (0.41, "no")]
)
def test_a_ratio_meets_the_aim_or_what_is_asked_or_neither(ratio: float, verdict: str) -> None:
    assert met(ratio, 0.4, 0.2) == verdict
    assert met(ratio, None, None) == ""


def test_a_row_shows_the_figures_beside_what_is_asked() -> None:
    compared = Compared(((0.0125, 0.5), (0.025, 0.5), (1.0, 0.5)))
    case = next(case for case in CASES if case.name == "depmod, 6.12 xz, one module changed")

    row = times([Outcome(case=case, compared=compared, floor=1.5)]).splitlines()[2]

    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["25.0 ms", "500.0 ms", number(0.05)]
    assert cells[4:] == ["0.025-2.00", "0.06", "0.03", "yes", "1.50 s"]


def test_the_figures_published_are_of_every_case_and_of_no_other() -> None:
    text = (ROOT / "docs/performance.md").read_text()
    table = text[text.index("| work ") :].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+?) +\|.*\| +([\d.]*) \| +([\d.]*) \|[^|]*\|[^|]*\|$", table, re.M)

    asked = [(case.name, case.most, case.aim) for case in CASES]
    assert asked == [(n, _number(most), _number(aim)) for n, most, aim in rows if n != "work"]


def _number(text: str) -> float | None:
    return float(text) if text else None


def test_names_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_cheap_cases_run_to_the_end(tmp_path: Path) -> None:
    with a_bench("lsmod", "read back", "--pairs", "1", cache=tmp_path) as running:
        out, err = running.communicate()

    assert running.returncode == 0, err
    assert re.search(r"^\* CPU: .+, \d+ cores", out, re.MULTILINE)
    assert re.search(r"^\* pairs of runs: 1, and 3 or 5 of short works$", out, re.MULTILINE)
    assert len(re.findall(r"^\| (?:start of lkm lsmod|kallsyms, one snapshot)", out, re.M)) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_it_is_interrupted(tmp_path: Path) -> None:
    with a_bench("lsmod", "--pairs", "100000", cache=tmp_path) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("* CPU")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=120)

    assert running.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_names_no_case_is_refused_with_the_names(tmp_path: Path) -> None:
    with a_bench("no such case", cache=tmp_path) as running:
        _, err = running.communicate()

    assert running.returncode == 2
    assert all(case.name in err for case in CASES)

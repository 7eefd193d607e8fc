from __future__ import annotations

import pytest

from lkm.loader.taint import Taint, letters


@pytest.mark.parametrize(
    ("bit", "letter"),
    [(0, "P"), (2, "S"), (3, "R"), (7, "D"), (9, "W"), (12, "O"), (18, "N"), (19, "J"), (40, "")],
)
def test_each_bit_has_the_letter_that_the_kernel_prints(bit: int, letter: str) -> None:
    assert letters(1 << bit) == letter


def test_every_taint_of_the_loader_has_a_letter() -> None:
    whole = sum(Taint)

    assert letters(whole) == "PFRUWCOEKN"
    assert len(letters(whole)) == len(Taint)

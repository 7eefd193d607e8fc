from __future__ import annotations

import pytest

from lkm.lab.channel import Said, parse_output


def test_output_and_status_are_told_apart() -> None:
    said = parse_output(b"one\r\ntwo\r\nlab: exit status 3\r\n")

    assert said == Said("one\ntwo\n", 3)


@pytest.mark.parametrize(
    "data", [b"", b"one\r\n", b"lab: exit status ", b"lab: exit status x", b"lab: exit status \xb2"]
)
def test_without_a_whole_end_line_there_is_no_status(data: bytes) -> None:
    assert parse_output(data).status is None


def test_an_end_line_that_the_guest_itself_prints_is_output() -> None:
    said = parse_output(b"lab: exit status 1\nlab: exit status 0\n")

    assert said == Said("lab: exit status 1\n", 0)

from __future__ import annotations

import pytest

from lkm.kallsyms.restriction import explain

WITH = "Name:\tx\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n"
WITHOUT = "Name:\tx\nCapEff:\t0000000000000000\n"
ALL_BUT_SYSLOG = "CapEff:\t000001fbffffffff\n"
HOST = "         0          0 4294967295\n"
CONTAINER = "         0     100000      65536\n"


@pytest.mark.parametrize(
    ("restrict", "paranoid", "status", "cause"),
    [
        ("2\n", "-1\n", WITH, "kptr_restrict"),
        ("2\n", None, None, "kptr_restrict"),
        ("1\n", "-1\n", WITHOUT, "capability"),
        ("1\n", "3\n", WITH, "none"),
        ("0\n", "1\n", WITHOUT, "none"),
        ("0\n", "-1\n", None, "none"),
        ("0\n", "2\n", WITHOUT, "capability"),
        ("0\n", "2\n", ALL_BUT_SYSLOG, "capability"),
        ("0\n", "2\n", WITH, "none"),
        ("0\n", None, WITHOUT, "capability"),
        ("0\n", None, WITH, "none"),
        ("0\n", "2\n", None, "unknown"),
        ("0\n", "2\n", "CapEff:\tzz\n", "unknown"),
        (None, "2\n", WITH, "unknown"),
        ("many\n", "2\n", WITH, "unknown"),
    ],
)
def test_the_rule_of_the_kernel_is_followed(
    restrict: str | None, paranoid: str | None, status: str | None, cause: str
) -> None:
    found = explain(restrict, paranoid, status, HOST)

    assert found.cause == cause
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0
    assert bool(found.remedy) == (cause in ("kptr_restrict", "capability"))


def test_a_capability_in_a_container_is_not_the_hosts() -> None:
    found = explain("1\n", "2\n", WITH, CONTAINER)

    assert found.cause == "namespace"
    assert "container" in found.sentence
    assert explain("1\n", "2\n", WITH, None).cause == "none"


def test_the_sentence_names_the_settings_and_their_values() -> None:
    assert "kptr_restrict is 2" in explain("2", "2", WITH).sentence
    assert "perf_event_paranoid is 3, above 1" in explain("0", "3", WITHOUT).sentence
    assert "no kernel.perf_event_paranoid" in explain("0", None, WITHOUT).sentence


def test_in_a_container_the_setting_that_asks_for_the_capability_is_named() -> None:
    assert "perf_event_paranoid is 2, above 1" in explain("0", "2", WITH, CONTAINER).sentence
    assert "no kernel.perf_event_paranoid" in explain("0", None, WITH, CONTAINER).sentence
    assert "kptr_restrict is 1" in explain("1", "2", WITH, CONTAINER).sentence

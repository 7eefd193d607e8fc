"""Every step says why it is there, and every parameter where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.config.cmdline import parse_command_line
from lkm.config.directives import Source
from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.errors import LkmError
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Plan, RunInstall
from lkm.resolve.resolver import plan_load, plan_load_file, plan_unload
from lkm.tree.catalog import Catalog
from tests.resolve.cases import CASES, Case
from tests.resolve.trees import a_catalog, settings
from tests.resolve.unloading_cases import CASES as UNLOAD_CASES
from tests.resolve.unloading_cases import UnloadCase, loaded_modules


@pytest.fixture(name="catalog", scope="module")
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return a_catalog(tmp_path_factory.mktemp("tree"))


def whys(plan: Plan) -> list[tuple[str, str, str]]:
    """Return each step's module, the kind of its reason, and whom it is there for."""
    pairs = zip(plan.steps, plan.reasons, strict=True)
    return [(step.module, reason.kind, reason.module) for step, reason in pairs]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reasons_and_origins_agree_with_the_steps(catalog: Catalog, case: Case) -> None:
    try:
        plan = plan_load(
            case.words[0],
            catalog,
            settings(case.text, catalog),
            params=" ".join(case.words[1:]),
            show_all=True,
        )
    except LkmError:
        return
    for step, reason in zip(plan.steps, plan.reasons, strict=True):
        assert reason.module == step.because
        assert (reason.kind == "asked") == (step.because == "")
        if reason.found is not None:
            assert reason.found.name == step.module
        if isinstance(step, Insert | RunInstall):
            assert " ".join(origin.text for origin in step.origins) == step.params.strip()


@pytest.mark.parametrize("case", UNLOAD_CASES, ids=lambda case: case.name)
def test_reasons_agree_with_the_steps_of_unloading(catalog: Catalog, case: UnloadCase) -> None:
    plan = plan_unload(
        case.word,
        catalog,
        settings(case.text),
        loaded=loaded_modules(case.loaded),
        remove_holders="--remove-holders" in case.options,
    )
    for step, reason in zip(plan.steps, plan.reasons, strict=True):
        assert reason.module == step.because


def test_dependencies_and_softdeps_are_told_apart(catalog: Catalog) -> None:
    text = "softdep b pre: al-a-1\nsoftdep a post: nosuch s1\n"

    plan = plan_load("a", catalog, settings(text, catalog))

    assert whys(plan) == [
        ("c", "dependency", "a"),
        ("p", "pre softdep", "b"),
        ("b", "dependency", "a"),
        ("a", "asked", ""),
        ("s1", "post softdep", "a"),
    ]
    soft, asked = plan.reasons[1], plan.reasons[3]
    assert (soft.word, soft.softdep) == ("al-a-1", Source("a.conf", 1))
    assert soft.found is not None
    assert (soft.found.via, soft.found.alias) == ("modules.alias", "al_a_1")
    assert (asked.word, asked.softdep) == ("a", None)
    assert asked.found is not None
    assert asked.found.via == "name"


def test_the_alias_line_that_led_to_a_module_is_named(catalog: Catalog) -> None:
    plan = plan_load("foo", catalog, settings("options c x\nalias f* c\n", catalog))

    (reason,) = plan.reasons
    assert reason.word == "foo"
    assert reason.found is not None
    assert (reason.found.alias, reason.found.source) == ("f*", Source("a.conf", 2))


def test_each_piece_of_the_parameters_has_its_origin(catalog: Catalog) -> None:
    configured = [
        *parse("options c a=1\noptions b no\noptions c b=2\n", "a.conf"),
        *parse_command_line("c.boot=3 quiet"),
    ]

    plan = plan_load("c", catalog, Settings(configured), params="d=4 e")

    (step,) = plan.steps
    assert isinstance(step, Insert)
    assert [(each.text, str(each.source)) for each in step.origins] == [
        ("a=1", "a.conf:1"),
        ("b=2", "a.conf:3"),
        ("boot=3", "/proc/cmdline"),
        ("d=4 e", "None"),
    ]


def test_what_is_loaded_or_blacklisted_has_a_reason_too(catalog: Catalog) -> None:
    there = {ModuleName("c"): "live"}
    plan = plan_load("a", catalog, settings("", catalog), loaded=there)
    refused = plan_load("al-a-1", catalog, settings("blacklist p", catalog))

    assert whys(plan)[0] == ("c", "dependency", "a")
    assert whys(refused) == [("p", "asked", "")]


def test_a_file_is_asked_for_by_its_path(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "new.ko"
    path.touch()

    plan = plan_load_file(str(path), catalog, settings("", catalog))

    (reason,) = plan.reasons
    assert (reason.kind, reason.word) == ("asked", str(path))
    assert reason.found is not None
    assert reason.found.via == "file"


def test_what_goes_along_is_told_apart(catalog: Catalog) -> None:
    text = "softdep a pre: p post: s1\n"
    loaded = loaded_modules("a:1:h1 h1 b:2:a,h1 c:3:a,b,h1 p s1")

    plan = plan_unload("a", catalog, settings(text), loaded=loaded, remove_holders=True)

    assert [why for why in whys(plan) if why[0] != "c"] == [
        ("s1", "post softdep", "a"),
        ("h1", "holder", "a"),
        ("a", "asked", ""),
        ("b", "unused dependency", "a"),
        ("p", "pre softdep", "a"),
    ]

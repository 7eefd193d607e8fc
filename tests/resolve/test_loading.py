from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.config.directives import Source
from lkm.errors import FileError, NoSuchModuleError
from lkm.names import ModuleName
from lkm.resolve.plan import Builtin, Insert, Missing, Plan, Refuse, RunInstall, Skip
from lkm.resolve.resolver import plan_load, plan_load_file, plan_loads
from lkm.tree.catalog import Catalog
from tests.resolve.trees import a_catalog, settings


@pytest.fixture(name="catalog", scope="module")
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return a_catalog(tmp_path_factory.mktemp("tree"))


def load(
    word: str, catalog: Catalog, text: str = "", *, loaded: str = "", state: str = "live"
) -> Plan:
    there = {ModuleName(name): state for name in loaded.split()}
    return plan_load(word, catalog, settings(text, catalog), loaded=there)


def modules(plan: Plan) -> list[str]:
    return [step.module for step in plan.steps]


def test_each_step_says_why_it_is_there(catalog: Catalog) -> None:
    plan = load("a", catalog, "softdep b pre: p\nsoftdep a post: nosuch s1\n")

    assert [
        (step.module, step.because, step.required)
        for step in plan.steps
        if isinstance(step, Insert)
    ] == [
        ("c", "a", True),
        ("p", "b", False),
        ("b", "a", True),
        ("a", "", True),
        ("s1", "a", False),
    ]
    assert (plan.target, plan.operation) == ("a", "load")


def test_each_step_names_the_lines_that_have_a_part_in_it(catalog: Catalog) -> None:
    text = "alias x c\noptions c a=1\noptions x b=2\nsoftdep c post: al-a-1\noptions p d=3\n"

    plan = load("x", catalog, text)

    assert [
        (step.module, step.params, [source.line for source in step.sources])
        for step in plan.steps
        if isinstance(step, Insert)
    ] == [("c", "a=1 b=2 ", [2, 3, 1]), ("p", "d=3 ", [5, 4])]


def test_paths_are_absolute(catalog: Catalog) -> None:
    (step,) = load("snd-core", catalog).steps

    assert isinstance(step, Insert)
    assert step.path == f"{catalog.directory}/kernel/snd-core.ko"
    assert step.module == "snd_core"


def test_nothing_is_to_do_for_what_is_loaded(catalog: Catalog) -> None:
    assert load("a", catalog, loaded="a").steps == (Skip(ModuleName("a"), "loaded"),)


def test_loaded_dependencies_are_skipped_with_their_reason(catalog: Catalog) -> None:
    plan = load("a", catalog, loaded="c")

    assert plan.steps[0] == Skip(ModuleName("c"), "loaded", "a")
    assert [type(step) for step in plan.steps[1:]] == [Insert, Insert]


@pytest.mark.parametrize("state", ["coming", "going"])
def test_a_module_that_is_not_live_is_inserted_as_by_kmod(state: str, catalog: Catalog) -> None:
    assert [type(step) for step in load("c", catalog, loaded="c", state=state).steps] == [Insert]


def test_built_ins_are_skipped_unless_all_is_to_be_shown(catalog: Catalog) -> None:
    name = ModuleName("bi_one")

    assert load("bi-one", catalog).steps == (Skip(name, "builtin"),)
    assert plan_load("bi-one", catalog, settings(), show_all=True).steps == (Builtin(name),)


def test_a_module_that_two_steps_bring_is_marked_the_second_time(catalog: Catalog) -> None:
    plan = load("a", catalog, "softdep a pre: c\n")

    assert [(step.module, step.repeated) for step in plan.steps if isinstance(step, Insert)] == [
        ("c", False),
        ("b", False),
        ("c", True),
        ("a", False),
    ]


def test_a_required_module_stays_required_where_a_softdep_brings_it(catalog: Catalog) -> None:
    plan = load("a", catalog, "softdep c pre: b\n")

    assert all(step.required for step in plan.steps if isinstance(step, Insert))


def test_an_install_command_stands_for_its_module(catalog: Catalog) -> None:
    (step,) = plan_load(
        "c", catalog, settings("options c a=1\ninstall c run $CMDLINE_OPTS\n"), params="x=2"
    ).steps

    assert isinstance(step, RunInstall)
    assert step.shell_command() == "run a=1 x=2"
    assert (step.source.line, step.required, step.because) == (2, True, "")


def test_a_blacklisted_alias_is_refused_and_the_line_named(catalog: Catalog) -> None:
    (step,) = load("al-a-1", catalog, "\nblacklist p\n").steps

    assert isinstance(step, Refuse)
    assert str(step.source) == "a.conf:2"


def test_a_loaded_module_is_not_refused(catalog: Catalog) -> None:
    assert [type(step) for step in load("al-a-1", catalog, "blacklist p\n", loaded="p").steps] == [
        Skip
    ]


def test_a_blacklist_counts_for_names_only_when_asked_to(catalog: Catalog) -> None:
    lines = settings("blacklist c\n")

    assert [type(step) for step in plan_load("c", catalog, lines).steps] == [Insert]
    assert [type(step) for step in plan_load("c", catalog, lines, use_blacklist=True).steps] == [
        Refuse
    ]


def test_a_blacklist_of_the_command_line_with_a_dash_is_of_no_effect(catalog: Catalog) -> None:
    lines = settings(command_line="modprobe.blacklist=snd-core")

    assert lines.blacklisted("snd_core") is None
    assert modules(plan_load("sound:xa", catalog, lines)) == ["snd_core"]


def test_an_alias_to_nowhere_is_missing(catalog: Catalog) -> None:
    (step,) = load("foo", catalog, "alias foo nosuch\n").steps

    assert step == Missing(ModuleName("nosuch"), "", required=True, sources=(Source("a.conf", 1),))


def test_an_alias_with_several_modules_plans_all_of_them(catalog: Catalog) -> None:
    assert modules(load("sound:xyz", catalog)) == ["snd_core", "p", "p", "q"]


def test_an_unknown_word_is_an_error_that_names_the_tree(catalog: Catalog) -> None:
    with pytest.raises(NoSuchModuleError) as caught:
        load("nosuch", catalog)

    assert str(caught.value) == f"Module nosuch not found in directory {catalog.directory}"


@pytest.mark.parametrize(
    "word", ["", "-", "[", "*", "a b", "\udcff", "x" * 5000, "symbol:", "/", "."]
)
def test_no_word_brings_anything_but_an_error(word: str, catalog: Catalog) -> None:
    with pytest.raises(NoSuchModuleError):
        load(word, catalog)


def test_a_file_is_loaded_with_what_the_module_of_its_name_needs(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ko").touch()
    monkeypatch.chdir(tmp_path)

    plan = plan_load_file("./a.ko", catalog, settings("options a x=1\n"), params="y=2")

    assert modules(plan) == ["c", "b", "a"]
    last = plan.steps[-1]
    assert isinstance(last, Insert)
    assert (last.path, last.params) == (f"{os.getcwd()}/./a.ko", "x=1 y=2")


def test_a_file_of_a_module_that_the_tree_lacks_needs_nothing(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "new-one.ko"
    path.touch()

    (step,) = plan_load_file(str(path), catalog, settings()).steps

    assert step == Insert(ModuleName("new_one"), str(path))


def test_a_file_that_is_not_there_is_an_error(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(FileError):
        plan_load_file(str(tmp_path / "a.ko"), catalog, settings())


def test_a_loop_of_softdeps_ends(catalog: Catalog) -> None:
    plan = load("c", catalog, "softdep * pre: c p s1 post: s2 b\n")

    assert set(modules(plan)) == {"c", "p", "s1", "s2", "b"}


def test_modules_without_words_of_their_own_get_no_parameters(catalog: Catalog) -> None:
    plan = plan_load("a", catalog, settings(), params="x=1")

    assert [step.params for step in plan.steps if isinstance(step, Insert)] == ["", "", "x=1"]


def test_each_module_of_an_alias_is_a_plan_of_its_own(catalog: Catalog) -> None:
    lines = settings("alias both b\nalias both c\n", catalog)

    plans = plan_loads("both", catalog, lines)

    joined = tuple([step for plan in plans for step in plan.steps])
    assert [plan.steps[-1].module for plan in plans] == ["b", "c"]
    assert joined == plan_load("both", catalog, lines).steps


def test_a_bad_word_of_a_softdep_is_told(catalog: Catalog) -> None:
    told: list[str] = []

    plan_loads("c", catalog, settings("softdep c pre: a[ nosuch\n"), on_bad_word=told.append)

    assert told == ["a["]

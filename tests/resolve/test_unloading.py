from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import NoSuchModuleError
from lkm.names import ModuleName
from lkm.resolve.plan import InUse, Plan, Remove, RunRemove, Skip
from lkm.resolve.resolver import plan_unload
from lkm.tree.catalog import Catalog
from tests.resolve.trees import a_catalog, settings
from tests.resolve.unloading_cases import loaded_modules

CHAIN = "a b:1:a c:2:a,b"


@pytest.fixture(name="catalog", scope="module")
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return a_catalog(tmp_path_factory.mktemp("tree"))


def unload(
    word: str,
    catalog: Catalog,
    loaded: str,
    text: str = "",
    *,
    remove_holders: bool = False,
    keep_going: bool = False,
) -> Plan:
    return plan_unload(
        word,
        catalog,
        settings(text),
        loaded=loaded_modules(loaded),
        remove_holders=remove_holders,
        keep_going=keep_going,
    )


def removed(plan: Plan) -> list[str]:
    return [step.module for step in plan.steps if isinstance(step, Remove)]


def test_what_becomes_unused_goes_too(catalog: Catalog) -> None:
    plan = unload("a", catalog, "a b:1:a c:1:a")

    assert plan.steps == (
        Remove(ModuleName("a")),
        Remove(ModuleName("c"), "a", if_unused=True, refcnt=1),
        Remove(ModuleName("b"), "a", if_unused=True, refcnt=1),
    )
    assert plan.operation == "unload"


def test_dependencies_are_asked_once_in_loading_order_so_the_end_of_a_chain_stays(
    catalog: Catalog,
) -> None:
    assert removed(unload("a", catalog, CHAIN)) == ["a", "b"]


def test_dependencies_that_others_use_stay(catalog: Catalog) -> None:
    assert removed(unload("a", catalog, "a b:2:a,x c:2:a,b x")) == ["a"]


def test_a_kernel_that_counts_no_users_loses_only_what_was_asked_for(catalog: Catalog) -> None:
    modules = tuple(
        type(one)(name=one.name, size=one.size, refcnt=None, holders=one.holders)
        for one in loaded_modules(CHAIN)
    )

    assert removed(plan_unload("a", catalog, settings(), loaded=modules)) == ["a"]


def test_soft_dependencies_go_around_it_in_reverse(catalog: Catalog) -> None:
    text = "softdep c pre: p s1 post: s2 snd-core\n"

    plan = unload("c", catalog, "c p s1 s2 snd_core", text)

    assert [(step.module, step.because) for step in plan.steps if isinstance(step, Remove)] == [
        ("snd_core", "c"),
        ("s2", "c"),
        ("c", ""),
        ("s1", "c"),
        ("p", "c"),
    ]


def test_a_soft_dependency_in_use_ends_the_plan_as_it_ends_modprobe(catalog: Catalog) -> None:
    plan = unload("c", catalog, "c s1:1:x x p", "softdep c post: p s1\n")

    assert plan.steps == (InUse(ModuleName("s1"), "c", 1, (ModuleName("x"),)),)


def test_with_all_a_soft_dependency_in_use_is_passed_over(catalog: Catalog) -> None:
    plan = unload("c", catalog, "c s1:1 p", "softdep c post: p s1\n", keep_going=True)

    assert [type(step) for step in plan.steps] == [InUse, Remove, Remove]


def test_what_is_in_use_is_told_with_its_holders(catalog: Catalog) -> None:
    (step,) = unload("a", catalog, "a:2:h1,h2 h1 h2").steps

    assert step == InUse(ModuleName("a"), "", 2, (ModuleName("h1"), ModuleName("h2")))


def test_holders_go_first_and_their_holders_before_them(catalog: Catalog) -> None:
    loaded = "a:2:h1,h2 h1:1:h3 h2 h3 b:4:a,h1,h2,h3 c:5:a,b,h1,h2,h3"

    plan = unload("a", catalog, loaded, remove_holders=True)

    assert removed(plan) == ["h2", "h3", "h1", "a", "b"]
    reasons = {step.module: step.because for step in plan.steps if isinstance(step, Remove)}
    assert reasons == {"h2": "a", "h3": "h1", "h1": "a", "a": "", "b": "a"}
    assert not any(step.if_unused for step in plan.steps[:4] if isinstance(step, Remove))


def test_a_holder_in_use_by_no_module_ends_the_plan(catalog: Catalog) -> None:
    plan = unload("c", catalog, "c:1:b b:1", remove_holders=True)

    assert plan.steps == (InUse(ModuleName("b"), "c", 1, ()),)


def test_what_is_not_loaded_is_skipped(catalog: Catalog) -> None:
    assert unload("a", catalog, "").steps == (Skip(ModuleName("a"), "not loaded"),)


def test_a_built_in_is_skipped_and_ends_the_plan_if_asked_for(catalog: Catalog) -> None:
    assert unload("bi:zz", catalog, "").steps == (Skip(ModuleName("both"), "builtin"),)
    assert unload("fs-core", catalog, "").steps == (Skip(ModuleName("core"), "builtin"),)
    plan = unload("c", catalog, "c p", "softdep c pre: p post: bi-one\n")
    assert [step.module for step in plan.steps] == ["bi_one", "c", "p"]


def test_a_remove_command_stands_for_the_module_and_leaves_its_dependencies(
    catalog: Catalog,
) -> None:
    plan = unload("b", catalog, "b:2 c:1:b", "\nremove b run $CMDLINE_OPTS it\n")

    (step,) = plan.steps
    assert isinstance(step, RunRemove)
    assert step.shell_command() == "run  it"
    assert (step.source.line, step.if_unused) == (2, False)


def test_a_loop_of_softdeps_ends(catalog: Catalog) -> None:
    plan = unload("c", catalog, "c p", "softdep c pre: p\nsoftdep p pre: c\n")

    assert removed(plan) == ["c", "p"]


def test_a_loop_of_softdeps_with_remove_commands_ends(catalog: Catalog) -> None:
    text = "softdep c post: p\nsoftdep p post: c\nremove c x\nremove p y\n"

    assert [step.module for step in unload("c", catalog, "", text).steps] == ["p", "c"]


def test_an_unknown_word_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NoSuchModuleError):
        unload("nosuch", catalog, "nosuch")


def test_loading_and_unloading_a_real_chain_meet(tmp_path: Path) -> None:
    catalog = a_catalog(tmp_path)

    assert removed(unload("snd-pcm", catalog, "snd_pcm snd_core:1:snd_pcm")) == [
        "snd_pcm",
        "snd_core",
    ]

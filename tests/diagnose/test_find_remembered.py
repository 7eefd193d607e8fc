"""The same modules are found whatever is remembered, and they are those that the files tell of."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lkm.cache import Cache
from lkm.diagnose.find import Criteria, Hit, find
from lkm.errors import LkmError
from lkm.module.facts import Module
from lkm.module.modinfo import parameters
from lkm.teaching import RELEASE, teaching_root
from lkm.tree.catalog import Catalog
from lkm.tree.trie.fnmatch import fnmatch
from tests.builders.elf import AnExport, a_module
from tests.builders.memory import watched_scans
from tests.builders.tree import a_root
from tests.module.modules import a_pkcs7, a_record

Texts = dict[str, list[str]]
Answer = list[tuple[str, tuple[tuple[str, str], ...]]]

ANY_CASE = ("description", "author", "license", "alias", "firmware", "signer")
EXACT = ("parameter", "exports", "needs")
AUTHORS = ("JANE", "J\xfcrgen")
MANY = 30  # modules; of few the files are opened


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened or scanned, as they are."""
    paths = watched_scans(monkeypatch)
    opener = Module.open

    def watched(path: str) -> Module:
        paths.append(Path(path).name)
        return opener(path)

    monkeypatch.setattr(Module, "open", watched)
    return paths


def some_modules() -> dict[str, bytes]:
    """Modules that have one thing in common each with many others, and texts of all kinds."""
    kernel = {"module_layout": 1, "_printk": 2}
    found = {}
    for number in range(MANY):
        name = f"m{number}"
        signature = a_record(signature=a_pkcs7()) if number % 3 else b""
        data = a_module(
            name=name,
            modinfo=[
                f"description=Number {number % 7} \N{KELVIN SIGN}elvin Stra\xdfe",
                f"author={AUTHORS[number % 2]} Doe{number}",
                f"alias=pci:v0000{number:04X}d*",
                f"parm=debug-{number % 4}:Say more",
                f"firmware=Firm/{number}.bin",
            ],
            exports=[AnExport(name=f"sym{number}_{each}", crc=3) for each in "zab"],
            imports=["_printk", f"sym{number // 2}_a"],
            versions=kernel if number % 5 else {},
        )
        found[f"kernel/{name}.ko"] = data + signature
    return found


def a_catalog(tmp_path: Path, modules: Mapping[str, bytes]) -> Catalog:
    root = a_root(tmp_path, modules, builtin={"kernel/b.ko": ["license=GPL", "alias=pci:v*"]})
    (directory,) = (root / "lib/modules").iterdir()
    return Catalog.open(str(directory))


def texts_of(catalog: Catalog) -> dict[str, Texts]:
    """Return what each module says of each kind, by name in the order of hits."""
    found: dict[str, Texts] = {}
    for entry in sorted(catalog.entries(), key=lambda each: each.name):
        with Module.open(catalog.file(entry.path)) as module:
            found[entry.name] = texts = {kind: [*module.values(kind)] for kind in ANY_CASE}
            texts["signer"] = [] if module.signature is None else [module.signature.signer]
            texts["parameter"] = [each.name for each in module.parameters]
            texts["exports"] = [each.name for each in module.exports]
            texts["needs"] = [each.name for each in module.imports]
    for builtin in sorted(catalog.builtins(), key=lambda each: each.name):
        texts = {kind: [v for k, v in builtin.modinfo if k == kind] for kind in ANY_CASE}
        texts |= {"parameter": [each.name for each in parameters(builtin.modinfo)]}
        found[builtin.name] = {**texts, "exports": [], "needs": []}
    return found


def told(texts: Mapping[str, Texts], kind: str, wanted: str) -> Answer:
    """Return the modules that are to be found."""
    is_pattern = any(each in wanted for each in "*?[")
    found = []
    for name, of_module in texts.items():
        if kind in ANY_CASE:
            folded = wanted.casefold()
            right = [
                text
                for text in of_module[kind]
                if (fnmatch(text.casefold(), folded) if is_pattern else folded in text.casefold())
            ]
        else:
            named = wanted.replace("-", "_") if kind == "parameter" else wanted
            right = [
                text
                for text in of_module[kind]
                if (fnmatch(text, named) if is_pattern else text == named)
            ]
        if right:
            found.append((name, tuple((kind, text) for text in right)))
    return found


def answer(catalog: Catalog, kind: str, wanted: str, cache: Cache | None) -> Answer:
    hits = find(catalog, Criteria(**{kind: wanted}), cache=cache)
    return [(hit.name, hit.matches) for hit in hits]


def questions(texts: Mapping[str, Texts], chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield for each kind texts that modules have, parts of them, and patterns made of them."""
    for kind in (*ANY_CASE, *EXACT):
        there = sorted({text for each in texts.values() for text in each[kind] if text})
        yield kind, "no module says that"
        yield kind, "*"
        for text in chance.sample(there, min(3, len(there))):
            middle = text[len(text) // 3 :]
            for wanted in (text, text.swapcase(), middle, f"*{middle}", f"{text[:4]}*", "?" + text):
                yield kind, wanted
                yield kind, wanted.replace(wanted[0], "[" + wanted[0] + "]", 1)


def assert_found(catalog: Catalog, cache: Cache, seed: int, *, each: int = 1) -> None:
    """Compare every kind of question without a cache, with an empty one, and with a full one.

    Without one only at *each* so many questions: to read all files takes its time.
    """
    texts = texts_of(catalog)
    for number, (kind, wanted) in enumerate(questions(texts, random.Random(seed))):
        right = told(texts, kind, wanted)
        for remembered in (cache,) if number % each else (None, cache, cache):
            assert answer(catalog, kind, wanted, remembered) == right, (kind, wanted)


@pytest.mark.usefixtures("at_once")
def test_every_criterion_finds_what_the_files_tell(tmp_path: Path, cache: Cache) -> None:
    assert_found(a_catalog(tmp_path, some_modules()), cache, 1)


@pytest.mark.usefixtures("at_once")
def test_so_it_does_in_the_teaching_kernel(cache: Cache) -> None:
    assert_found(Catalog.open(f"{teaching_root()}/lib/modules/{RELEASE}"), cache, 2)


@pytest.mark.debian
def test_so_it_does_in_debians_kernel(
    indexed_root: Path, debian_release: str, cache: Cache
) -> None:
    assert_found(Catalog.open(f"{indexed_root}/lib/modules/{debian_release}"), cache, 3, each=13)
    assert {each.name.partition("-")[0] for each in Path(cache.folder).iterdir()} == (
        {"paths", "scan", "signers"}
    )


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("description", "kelvin"),
        ("description", "STRASSE"),
        ("author", "J\xdcRGEN"),
        ("author", "j\xfc*"),
        ("description", "[\N{KELVIN SIGN}]*"),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_case_does_not_count_beyond_ascii(
    tmp_path: Path, cache: Cache, kind: str, wanted: str
) -> None:
    catalog = a_catalog(tmp_path, some_modules())
    right = told(texts_of(catalog), kind, wanted)

    assert wanted.startswith("[") or right
    assert answer(catalog, kind, wanted, cache) == right
    assert answer(catalog, kind, wanted, cache) == right


@pytest.mark.parametrize("criterion", ["author", "signer"])
@pytest.mark.usefixtures("at_once")
def test_only_a_changed_file_is_read_again(
    tmp_path: Path, cache: Cache, opened: list[str], criterion: str
) -> None:
    modules = some_modules()
    catalog = a_catalog(tmp_path, modules)
    question = Criteria(**{criterion: "*e*"})
    before = [*find(catalog, question, cache=cache)]
    changed = Path(catalog.directory, "kernel/m7.ko")
    new = a_module(name="m7", modinfo=["author=The one"]) + a_record(
        id_type=1, algorithm=1, digest=3, name=b"The one", key=b"k", signature=b"s"
    )
    changed.write_bytes(new)
    opened.clear()

    after = [*find(catalog, question, cache=cache)]

    assert after == [*find(catalog, question)]
    assert [hit for hit in after if hit.name != "m7"] == [hit for hit in before if hit.name != "m7"]
    (hit,) = [hit for hit in after if hit.name == "m7"]
    assert hit.matches == ((criterion, "The one"),)
    if criterion == "author":
        assert opened[:1] == ["m7.ko"], "the first of the last two questions reads nothing else"
        assert opened.count("m7.ko") == 2


@pytest.mark.usefixtures("at_once")
def test_a_name_or_a_path_alone_reads_no_file(
    tmp_path: Path, cache: Cache, opened: list[str]
) -> None:
    catalog = a_catalog(tmp_path, some_modules())
    catalog.entries()  # without indexes it is scanned
    opened.clear()

    for question in (Criteria(pattern="m*"), Criteria(path="kernel"), Criteria()):
        assert len([*find(catalog, question, cache=cache)]) >= MANY
    assert opened == []
    assert [hit.name for hit in find(catalog, Criteria(pattern="m3", author="*"), cache=cache)] == [
        "m3"
    ]
    assert opened == ["m3.ko"]


@pytest.mark.usefixtures("at_once")
def test_a_broken_file_is_a_problem_each_time(tmp_path: Path, cache: Cache) -> None:
    modules = {**some_modules(), "kernel/m4.ko": b"\x7fELF, but no more"}
    catalog = a_catalog(tmp_path, modules)
    runs: list[tuple[list[Hit], list[str]]] = []
    for remembered in (None, cache, cache):
        problems: list[LkmError] = []
        hits = find(catalog, Criteria(author="doe"), on_problem=problems.append, cache=remembered)
        runs.append(([*hits], [*map(str, problems)]))

    assert len(runs[0][0]) == MANY - 1
    assert len(runs[0][1]) == 1
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.usefixtures("at_once")
def test_what_cannot_be_used_of_the_cache_is_written_anew(tmp_path: Path, cache: Cache) -> None:
    catalog = a_catalog(tmp_path, some_modules())
    questions = [Criteria(needs="_printk"), Criteria(signer="*"), Criteria(path="m")]
    right = [[*find(catalog, question)] for question in questions]
    assert [[*find(catalog, question, cache=cache)] for question in questions] == right
    entries = {each: each.read_bytes() for each in Path(cache.folder).iterdir()}
    assert entries

    for damage in (b"", b"lkmcache of a kind", b"\xff"):
        for path, data in entries.items():
            path.write_bytes(damage or data[: len(data) // 2])
            if damage == b"\xff":
                path.write_bytes(data[:-1] + bytes([data[-1] ^ 255]))
        assert [[*find(catalog, question, cache=cache)] for question in questions] == right
        assert all(path.read_bytes() != damage for path in entries)
        assert [[*find(catalog, question, cache=cache)] for question in questions] == right


def test_what_has_changed_just_now_is_not_remembered(tmp_path: Path, cache: Cache) -> None:
    catalog = a_catalog(tmp_path, some_modules())

    for question in (Criteria(author="doe"), Criteria(signer="*")):
        assert [*find(catalog, question, cache=cache)] == [*find(catalog, question)]
        assert [*find(catalog, question, cache=cache)] == [*find(catalog, question)]


def test_progress_is_told_until_all_is_read(tmp_path: Path) -> None:
    catalog = a_catalog(tmp_path, some_modules())
    steps: list[tuple[int, int]] = []

    hits = find(catalog, Criteria(author="doe"), on_progress=lambda *step: steps.append(step))

    assert len([*hits]) == MANY
    assert steps[0] == (0, MANY)
    assert steps[-1] == (MANY, MANY)
    assert steps == sorted(steps)

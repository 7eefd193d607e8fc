"""Finding and reading the module files of a tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.tree.problem import Problem
from lkm.tree.scan.reading import scan_tree
from lkm.tree.scan.search import SearchRules
from lkm.tree.scan.walking import find_modules, walk
from tests.builders.elf import a_module
from tests.tree.users import a_shared_folder, not_root


def files(directory: Path, *paths: str) -> None:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).touch()


def found(directory: Path, *excludes: str) -> list[str]:
    return sorted(os.path.relpath(path, directory) for path in walk(str(directory), excludes).paths)


def test_module_files_are_found_whatever_their_compression(tmp_path: Path) -> None:
    files(
        tmp_path, "a.ko", "k/b.ko.gz", "k/l/c.ko.xz", "d.ko.zst", "e.ko.bz2", "k/.ko", "f.o", "ko"
    )

    assert found(tmp_path) == ["a.ko", "d.ko.zst", "k/b.ko.gz", "k/l/c.ko.xz"]


def test_build_source_and_excluded_names_are_passed_over_at_every_depth(tmp_path: Path) -> None:
    files(tmp_path, "build/a.ko", "k/source/b.ko", "k/old/c.ko", "k/d.ko", "k/old.ko")

    assert found(tmp_path, "old", "old.ko") == ["k/d.ko"]


def test_a_folder_may_be_called_like_a_module(tmp_path: Path) -> None:
    files(tmp_path, "k/dir.ko/a.ko")

    assert found(tmp_path) == ["k/dir.ko/a.ko"]


def test_links_are_followed_but_not_around_in_circles(tmp_path: Path) -> None:
    files(tmp_path / "tree", "kernel/a.ko")
    files(tmp_path / "elsewhere", "b.ko", "c.ko")
    (tmp_path / "tree/extra").symlink_to("../elsewhere")
    (tmp_path / "tree/c2.ko").symlink_to("../elsewhere/c.ko")
    (tmp_path / "tree/kernel/up").symlink_to("..")
    (tmp_path / "tree/self").symlink_to("self")
    (tmp_path / "tree/gone.ko").symlink_to("nowhere.ko")

    assert found(tmp_path / "tree") == ["c2.ko", "extra/b.ko", "extra/c.ko", "kernel/a.ko"]


def test_links_among_many_folders_do_not_multiply(tmp_path: Path) -> None:
    for one in range(8):
        files(tmp_path, f"d{one}/m{one}.ko")
        for other in range(8):
            if other != one:
                (tmp_path / f"d{one}/to{other}").symlink_to(f"../d{other}")

    walked = walk(str(tmp_path))

    assert {os.path.basename(path) for path in walked.paths} == {f"m{n}.ko" for n in range(8)}
    assert len(walked.paths) < 2000
    assert [problem.kind for problem in walked.problems] == ["many-links"]


def test_each_of_many_links_to_one_folder_is_followed(tmp_path: Path) -> None:
    files(tmp_path, "real/a.ko")
    for number in range(100):
        (tmp_path / f"l{number}").symlink_to("real")

    assert len(found(tmp_path)) == 101


def test_links_to_and_fro_between_two_folders_end(tmp_path: Path) -> None:
    files(tmp_path, "one/a.ko", "two/b.ko")
    (tmp_path / "one/there").symlink_to("../two")
    (tmp_path / "two/back").symlink_to("../one")

    assert found(tmp_path) == ["one/a.ko", "one/there/b.ko", "two/b.ko", "two/back/a.ko"]


def test_a_very_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    folders = [f"{tmp_path}{'/d' * depth}" for depth in range(1, 1300)]
    for folder in folders:
        os.mkdir(folder)
    Path(folders[-1], "a.ko").touch()
    try:
        assert walk(str(tmp_path)).paths == (f"{folders[-1]}/a.ko",)
    finally:  # pytest removes folders by recursion
        os.unlink(f"{folders[-1]}/a.ko")
        for folder in reversed(folders):
            os.rmdir(folder)


def test_a_missing_folder_is_a_problem() -> None:
    assert walk("/no/such/folder").problems == (
        Problem(
            "ERROR",
            "could not open directory /no/such/folder: No such file or directory",
            kind="unreadable-folder",
            path="/no/such/folder",
        ),
    )


def test_what_is_neither_file_nor_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/gone.ko").symlink_to("nowhere")
    (tmp_path / "a/b/loop").symlink_to("loop")
    os.mkfifo(tmp_path / "a/pipe.ko")
    (tmp_path / "a/null.ko").symlink_to("/dev/null")
    (tmp_path / "a/build").symlink_to("nowhere")

    found = walk(str(tmp_path))

    assert found.paths == ()
    assert {(one.kind, one.text) for one in found.problems} == {
        ("dangling-link", "fstatat(5, gone.ko): No such file or directory"),
        ("dangling-link", "fstatat(5, loop): Too many levels of symbolic links"),
        ("special-file", f"unsupported file type {tmp_path}/a/pipe.ko: 10000"),
        ("special-file", f"unsupported file type {tmp_path}/a/null.ko: 20000"),
    }


def test_a_folder_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    with a_shared_folder(tmp_path) as folder:
        (folder / "a/b").mkdir(parents=True)
        (folder / "c.ko").touch()
        (folder / "a/b").chmod(0)
        with not_root():
            found = walk(str(folder))
        (folder / "a/b").chmod(0o755)

    assert found.paths == (f"{folder}/c.ko",)
    assert [one.text for one in found.problems] == ["openat(4, b, O_RDONLY): Permission denied"]


def test_names_of_any_bytes_pass_through(tmp_path: Path) -> None:
    for name in (b"n\n\xff.ko", b" .ko", b"\xc3\xa4.ko"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()

    chosen = find_modules(str(tmp_path), SearchRules(), [])

    assert sorted(map(os.fsencode, chosen)) == [b" ", b"n\n\xff", b"\xc3\xa4"]


def test_a_huge_file_without_contents_is_no_module(tmp_path: Path) -> None:
    path = tmp_path / "huge.ko"
    with path.open("wb") as file:
        file.truncate(1 << 40)

    (problem,) = scan_tree([str(path)]).problems

    assert problem.text == f"failed to load symbols from {path}: Exec format error"


def test_external_folders_are_walked_too(tmp_path: Path) -> None:
    files(tmp_path, "tree/kernel/a.ko", "tree/updates/b.ko", "tree/kernel/b.ko", "more/c.ko")
    rules = SearchRules(externals=(f"{tmp_path}/more",))
    problems: list[Problem] = []

    chosen = find_modules(f"{tmp_path}/tree", rules, problems)

    assert sorted(chosen.items()) == [
        ("a", f"{tmp_path}/tree/kernel/a.ko"),
        ("b", f"{tmp_path}/tree/updates/b.ko"),
        ("c", f"{tmp_path}/more/c.ko"),
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Invalid argument"),
        (b"\x7fELF", "Invalid argument"),
        (a_module()[:300], "Invalid argument"),
        (b"some text, no module", "Exec format error"),
    ],
)
def test_a_broken_file_is_a_problem_and_listed_by_its_name(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    path = tmp_path / "snd-x.ko"
    path.write_bytes(data)

    scanned = scan_tree([str(path)])

    (module,) = scanned.modules
    assert (module.name, module.exports, module.needs) == ("snd_x", (), ())
    (problem,) = scanned.problems
    assert problem.text == f"failed to load symbols from {path}: {reason}"
    assert (problem.kind, problem.path, problem.modules) == (
        "unreadable-module",
        str(path),
        ("snd_x",),
    )


def test_a_file_gone_meanwhile_is_a_problem(tmp_path: Path) -> None:
    path = f"{tmp_path}/gone.ko"

    (problem,) = scan_tree([path]).problems
    assert problem.text == f"failed to load symbols from {path}: No such file or directory"

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lkm.elf.file import ElfFile
from lkm.elf.symbols import read_symbols
from lkm.module.modinfo import parse_modinfo
from tests.conftest import missing
from tests.debian import NotHere, unpacked
from tests.outcomes import build as building
from tests.outcomes.build import BuildFailedError, agent, build
from tests.outcomes.headers import compiler, headers
from tests.vmlinux.kernels import real_kernel

SOURCES = Path(building.__file__).parent / "tinymods"


@pytest.fixture(scope="module", params=["6.1", "6.12"])
def release(request: pytest.FixtureRequest) -> str:
    try:
        found = real_kernel(str(request.param)).release
        compiler(headers(found))
    except NotHere as error:
        missing("debian", str(error))
        raise
    return found


@pytest.mark.debian
def test_headers_are_joined_and_the_packages_left_as_they_are(release: str) -> None:
    package = f"linux-headers-{release}"
    makefile = unpacked(package) / "usr/src" / package / "Makefile"

    folder = headers(release)

    assert makefile.read_text().startswith("include /usr/src/linux-headers-")
    included = (folder / "Makefile").read_text().split()[1]
    assert (folder / included).is_file()
    assert (folder / "scripts/mod/modpost").is_file()
    assert compiler(folder).startswith("gcc-")


@pytest.mark.debian
def test_every_source_becomes_a_module_of_that_kernel(release: str) -> None:
    modules = build(release)

    names = {path.stem.replace("-", "_") for path in SOURCES.glob("*/*.c")}
    assert set(modules) == names
    for name, data in modules.items():
        elf = ElfFile.from_bytes(data)
        info = dict(parse_modinfo(elf.section_data(".modinfo") or b""))
        assert info["name"] == name
        assert info["vermagic"].split()[0] == release
        assert elf.section("__versions") is not None
        assert [one.name for one in elf.sections if one.name.startswith((".debug", ".BTF"))] == []


@pytest.mark.debian
def test_the_two_users_of_a_proprietary_symbol_have_it_in_other_orders(release: str) -> None:
    modules = build(release)

    early, late = (
        [name for name in undefined(modules[user]) if name.startswith(("tm_prop", "tm_exp"))]
        for user in ("tm_useprop_gpl", "tm_useprop_late")
    )

    assert early == ["tm_prop_val", "tm_exp_gpl"]
    assert late == ["tm_exp_gpl", "tm_prop_two"]


@pytest.mark.lab
def test_the_agent_is_a_small_static_program() -> None:
    try:
        program = agent()
    except NotHere as error:
        missing("lab", str(error))
        raise

    elf = ElfFile.from_bytes(program)
    assert len(program) < 1_000_000
    assert elf.section(".interp") is None


@pytest.mark.debian
def test_what_a_compiler_says_is_in_the_error(release: str, tmp_path: Path) -> None:
    with pytest.raises(BuildFailedError, match="nosuchfolder"):
        building._make(headers(release) / "nosuchfolder", tmp_path / "src")


def test_no_module_says_anything_itself() -> None:
    speaks = re.compile(r"\b(printk|pr_[a-z]+|WARN|BUG)\w*\(")

    assert [path.name for path in SOURCES.rglob("*.[ch]") if speaks.search(path.read_text())] == []


def undefined(data: bytes) -> list[str]:
    """Return the names of the undefined symbols, in the order of the symbol table."""
    symbols = read_symbols(ElfFile.from_bytes(data))
    return [one.name for one in symbols if one.section_index == 0 and one.name]

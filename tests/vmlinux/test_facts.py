from __future__ import annotations

import time
from pathlib import Path

import pytest

from lkm.cache import Cache, FileIdentity
from lkm.errors import FileError, FormatError
from lkm.vmlinux.answers import CouldNotTell, LayoutNotKnown, NotThere
from lkm.vmlinux.facts import VmlinuxFacts, facts_of, read_facts
from lkm.vmlinux.image import KernelImage
from tests.builders.vmlinux import (
    RELEASE,
    VERMAGIC,
    a_btf,
    a_bzimage,
    a_raw_image,
    an_elf_kernel,
    with_size_word,
)


def facts_from(data: bytes) -> VmlinuxFacts:
    return facts_of(KernelImage.from_bytes(data))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    kernel = an_elf_kernel(sections=((".BTF", a_btf()),))
    path.write_bytes(a_bzimage(with_size_word(kernel, "xz")))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass, so that files made just now are remembered."""
    later = time.time_ns() + 60 * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)


def test_an_elf_kernel_tells_its_facts() -> None:
    facts = facts_from(an_elf_kernel(sections=((".BTF", a_btf()),)))

    assert (facts.release, facts.machine, facts.is_64bit, facts.order) == (RELEASE, 62, True, "<")
    assert facts.vermagic == VERMAGIC
    assert (facts.struct_module_size, facts.type_count) == (896, 4)
    assert isinstance(facts.exports, tuple)
    assert [export.name for export in facts.exports] == [
        "module_layout",
        "printk",
        "crypto_hidden",
    ]


def test_what_a_kernel_lacks_is_told_from_what_is_not_known() -> None:
    facts = facts_from(an_elf_kernel())

    assert isinstance(facts.kallsyms, NotThere)
    assert isinstance(facts.type_count, NotThere)
    assert isinstance(facts.struct_module_size, CouldNotTell)
    assert isinstance(facts.config, CouldNotTell)
    assert isinstance(facts.certificates, CouldNotTell)


def test_an_image_without_sections_tells_what_it_can() -> None:
    facts = facts_from(a_raw_image(a_btf() + VERMAGIC.encode() + b"\0"))

    assert (facts.release, facts.machine, facts.vermagic) == (RELEASE, 183, VERMAGIC)
    assert facts.struct_module_size == 896
    assert isinstance(facts.exports, LayoutNotKnown)


def test_a_damaged_table_is_a_fact_that_is_not_known() -> None:
    facts = facts_from(an_elf_kernel(sections=((".BTF", a_btf()[:-1]),)))

    assert isinstance(facts.type_count, CouldNotTell)
    assert "BTF" in facts.type_count.why


def test_a_raw_image_cut_anywhere_tells_less() -> None:
    whole = a_raw_image(a_btf() + VERMAGIC.encode() + b"\0")
    for size in range(0x3C, len(whole)):
        facts = facts_from(whole[:size])

        assert facts.release in {None, RELEASE}
        assert isinstance(facts.exports, LayoutNotKnown)


def test_an_elf_kernel_with_any_byte_changed_is_read_or_a_format_error() -> None:
    whole = an_elf_kernel(sections=((".BTF", a_btf()),))
    for place in range(len(whole)):
        for value in (0, 0x7F, 0xFF):
            try:
                facts = facts_from(whole[:place] + bytes([value]) + whole[place + 1 :])
            except FormatError:
                continue
            assert facts.order in {"<", ">"}


def test_a_configuration_from_elsewhere_takes_the_place_of_the_unknown() -> None:
    facts = facts_from(an_elf_kernel())
    with_it = facts.replaced(config={"CONFIG_MODULES": "y"})

    assert with_it.config == {"CONFIG_MODULES": "y"}
    assert with_it.exports == facts.exports
    assert with_it != facts
    assert hash(with_it) == hash(facts)


def test_facts_are_remembered(image: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    first = read_facts(str(image), cache=cache)
    (entry,) = Path(cache.folder).iterdir()

    again = read_facts(str(image), cache=cache)

    assert again == first
    assert again.exports == first.exports
    assert entry.exists()


def test_a_changed_image_is_read_again(
    image: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    read_facts(str(image), cache=cache)
    image.write_bytes(a_raw_image())

    assert read_facts(str(image), cache=cache).machine == 183


def test_an_image_that_changed_just_now_is_not_remembered(image: Path, cache: Cache) -> None:
    assert read_facts(str(image), cache=cache) == read_facts(str(image))
    assert not Path(cache.folder).exists()


def test_facts_that_another_lkm_remembered_are_read_anew(
    image: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    first = read_facts(str(image), cache=cache)
    identity = FileIdentity.of(str(image))
    assert identity is not None
    assert cache.remember("vmlinux-2", identity, b"LKMFACTS\xff", looked_ns=time.time_ns())

    assert read_facts(str(image), cache=cache) == first


def test_a_file_that_is_no_image_is_an_error(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(FileError):
        read_facts(str(tmp_path / "none"), cache=cache)
    (tmp_path / "text").write_text("text")
    with pytest.raises(FormatError) as caught:
        read_facts(str(tmp_path / "text"), cache=cache)
    assert caught.value.path == str(tmp_path / "text")

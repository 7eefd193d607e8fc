from __future__ import annotations

import struct

import pytest

from lkm.vmlinux import kallsyms
from lkm.vmlinux.answers import LayoutNotKnown, NotThere
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.kallsyms import KernelSymbols, decode_kallsyms
from lkm.vmlinux.kallsyms_tables import Budget, TooManyStepsError
from tests.builders.kallsyms import LAYOUTS, SECTION, Symbol, a_kernel, symbols, tables
from tests.builders.vmlinux import BASE, a_raw_image, an_elf_kernel

BASE_32 = 0xC1000000
ARM64_BASE = 0xFFFF800008000000


def decoded(data: bytes) -> KernelSymbols | NotThere | LayoutNotKnown:
    return decode_kallsyms(KernelImage.from_bytes(data))


def listed(answer: KernelSymbols | NotThere | LayoutNotKnown) -> tuple[Symbol, ...]:
    assert isinstance(answer, KernelSymbols), answer
    return tuple(answer)


@pytest.mark.parametrize("count", [1, 3, 255, 256, 257, 1300])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_order_of_the_tables_is_read(layout: str, count: int) -> None:
    expected = symbols(count, BASE)

    assert listed(decoded(a_kernel(expected, layout))) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_32_bit_kernels_of_both_byte_orders_are_read(layout: str, order: str) -> None:
    expected = symbols(600, BASE_32)
    answer = decoded(a_kernel(expected, layout, bits=32, order=order))

    assert listed(answer) == expected
    assert isinstance(answer, KernelSymbols)
    assert answer.as_text().startswith(b"c1000000 T module_x_init_0\n")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_64_bit_big_endian_kernels_are_read(layout: str) -> None:
    expected = symbols(600, BASE)

    assert listed(decoded(a_kernel(expected, layout, order=">"))) == expected


@pytest.mark.parametrize("layout", ["5.10", "6.2", "6.4"])
def test_per_cpu_symbols_keep_their_own_small_addresses(layout: str) -> None:
    expected = symbols(300, BASE, per_cpu=5)

    assert listed(decoded(a_kernel(expected, layout, percpu=True))) == expected


def test_the_text_is_that_of_proc_kallsyms() -> None:
    low = [(0, "A", "cpu")]
    rest = [(BASE, "T", "_text"), (BASE, "t", "a.0"), *[(BASE + 16, "d", "x")] * 8]

    answer = decoded(a_kernel([*low, *rest], percpu=True))

    assert isinstance(answer, KernelSymbols)
    assert answer.as_text().startswith(
        b"0000000000000000 A cpu\nffffffff81000000 T _text\nffffffff81000000 t a.0\n"
    )


def test_only_symbols_of_type_a_have_small_addresses_of_their_own() -> None:
    rest = [(BASE, "T", "_text")] * 20
    image = a_kernel([(0, "A", "cpu"), *rest], percpu=True)
    data = KernelImage.from_bytes(image).data

    wrong = data.replace(b"\4Acpu", b"\4Dcpu")

    assert isinstance(decoded(data), KernelSymbols)
    assert isinstance(decoded(wrong), LayoutNotKnown)


@pytest.mark.parametrize("padding", range(64, 80, 8))
def test_tables_may_begin_at_any_multiple_of_a_pointer(padding: int) -> None:
    expected = symbols(300, BASE)

    assert listed(decoded(a_kernel(expected, "6.2", padding=padding))) == expected


def test_a_kernel_without_a_token_table_has_no_symbols() -> None:
    assert isinstance(decoded(an_elf_kernel()), NotThere)


def test_digits_elsewhere_are_no_token_table() -> None:
    text = b"".join(b"%d\0" % digit for digit in range(10)) * 3 + bytes(2000)

    assert isinstance(decoded(an_elf_kernel(text=text)), NotThere)


def test_an_image_that_does_not_say_it_is_linux_may_still_be_packed() -> None:
    image = KernelImage.from_bytes(an_elf_kernel())
    image.__dict__["release"] = None

    assert isinstance(decode_kallsyms(image), LayoutNotKnown)


@pytest.mark.parametrize(
    ("name", "table", "why"),
    [
        ("num_syms", struct.pack("<I", 299), "no names"),
        ("num_syms", struct.pack("<I", 0xFFFFFFFF), "no names"),
        ("markers", struct.pack("<2I", 0, 9999), "no names"),
        ("names", b"\1T" * 300, "no names"),
        ("base", struct.pack("<Q", 0x1234), "no table of addresses"),
        ("base", struct.pack("<Q", 0), "no table of addresses"),
    ],
)
def test_tables_that_do_not_fit_each_other_are_not_guessed_at(
    name: str, table: bytes, why: str
) -> None:
    answer = decoded(a_kernel(symbols(300, BASE), "5.10", changes={name: table}))

    assert isinstance(answer, LayoutNotKnown)
    assert why in answer.why


def test_addresses_that_fall_are_in_no_known_layout() -> None:
    backwards = tuple(reversed(symbols(300, BASE)))
    answer = decoded(a_kernel(backwards, "6.4"))

    assert isinstance(answer, LayoutNotKnown)


@pytest.mark.parametrize("name", ["a b", "a\nb", "a\tb"])
def test_white_space_in_a_name_is_no_name(name: str) -> None:
    texts = [bytes([byte]) for byte in range(256)]
    texts[0] = b""
    start = [sum(len(text) + 1 for text in texts[:index]) for index in range(256)]
    answer = decoded(
        a_kernel(
            [(BASE, "T", name)],
            changes={
                "token_table": b"".join(text + b"\0" for text in texts),
                "token_index": struct.pack("<256H", *start),
            },
        )
    )

    assert isinstance(answer, LayoutNotKnown)


def test_tokens_that_would_fill_the_memory_are_refused() -> None:
    texts = [bytes([byte]) if 0x30 <= byte < 0x80 else b"T" * 200 for byte in range(256)]
    start = [sum(len(text) + 1 for text in texts[:index]) for index in range(256)]
    many = [(BASE, "T", "\x01" * 100)] * 300
    answer = decoded(
        a_kernel(
            many,
            changes={
                "token_table": b"".join(text + b"\0" for text in texts),
                "token_index": struct.pack("<256H", *start),
            },
        )
    )

    assert isinstance(answer, LayoutNotKnown)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tables_cut_anywhere_are_never_half_a_list(layout: str) -> None:
    expected = symbols(40, BASE)
    whole = tables(expected, layout, ARM64_BASE + 0x100)
    for size in range(0, len(whole), 7):
        answer = decoded(an_elf_kernel(exports=(), sections=[(".rodata", whole[:size])]))

        assert not isinstance(answer, KernelSymbols) or tuple(answer) == expected


def test_any_byte_changed_is_an_answer_or_another_list() -> None:
    expected = symbols(30, BASE)
    whole = bytearray(a_kernel(expected, "6.4"))
    section = KernelImage.from_bytes(bytes(whole)).section(SECTION)
    assert section is not None
    for offset in range(section.offset, section.offset + section.size, 3):
        whole[offset] ^= 0x41
        answer = decode_kallsyms(KernelImage.from_bytes(bytes(whole)))
        whole[offset] ^= 0x41

        # Nothing but a name's or an address's own byte may change unnoticed.
        assert not isinstance(answer, KernelSymbols) or len(answer) == len(expected)


def test_an_arm64_image_relocates_its_base() -> None:
    expected = symbols(300, ARM64_BASE + 0x100)
    data = tables(expected, "5.10", 0, changes={"base": bytes(8)})
    start = len(a_raw_image())
    base_at = start + -start % 8 + len(struct.pack("<300I", *range(300)))
    entries = struct.pack("<3Q", ARM64_BASE + base_at, 1027, ARM64_BASE + 0x100)
    other = struct.pack("<3Q", ARM64_BASE + 0x50000 + base_at, 1027, ARM64_BASE + 0x20)
    image = a_raw_image(bytes(-start % 8) + data + bytes(-len(data) % 8) + other + entries)

    assert listed(decoded(image)) == expected


def test_an_image_that_does_not_tell_its_base_has_no_addresses() -> None:
    data = tables(symbols(300, ARM64_BASE), "5.10", 0, changes={"base": bytes(8)})
    answer = decoded(a_raw_image(bytes(-len(a_raw_image()) % 8) + data))

    assert isinstance(answer, LayoutNotKnown)


def test_an_arm64_image_has_its_lowest_symbol_at_its_beginning() -> None:
    expected = symbols(300, ARM64_BASE + 0x100)
    data = tables(expected, "5.10", 0, changes={"base": bytes(8)})
    start = len(a_raw_image())
    base_at = start + -start % 8 + len(struct.pack("<300I", *range(300)))
    entries = struct.pack("<3Q", ARM64_BASE + base_at, 1027, ARM64_BASE + 0x100)
    # As if the image began 2 MiB before: then this would be far inside it.
    wrong = struct.pack("<3Q", ARM64_BASE - (2 << 20) + base_at, 1027, ARM64_BASE + 0x5000)
    image = a_raw_image(bytes(-start % 8) + data + bytes(-len(data) % 8) + wrong + entries)

    assert listed(decoded(image + bytes(3 << 20))) == expected


def test_an_image_has_a_budget_that_its_size_bounds() -> None:
    assert Budget(0).steps < Budget(1 << 20).steps < Budget(1 << 26).steps
    assert Budget(1 << 26).steps == Budget(1 << 40).steps
    budget = Budget(0)
    budget.spend(budget.steps)
    assert budget.left == 0
    with pytest.raises(TooManyStepsError, match=f"more than {budget.steps} steps"):
        budget.spend(1)


def test_an_image_made_of_beginnings_of_names_takes_no_more_than_its_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budgets = []

    def a_budget(size: int) -> Budget:
        budgets.append(Budget(size))
        return budgets[-1]

    monkeypatch.setattr(kallsyms, "Budget", a_budget)

    answer = decoded(an_image_of_many_beginnings())

    assert isinstance(answer, LayoutNotKnown)
    (budget,) = budgets
    assert f"takes more than {budget.steps} steps" in answer.why
    assert 0 <= budget.left < budget.steps


def an_image_of_many_beginnings() -> bytes:
    """Return an image in which every fourth byte may be num_syms, with as many names behind it."""
    texts = [bytes([byte]) if 0x20 < byte < 0x80 else b"T%02x" % byte for byte in range(256)]
    starts = [sum(len(text) + 1 for text in texts[:index]) for index in range(256)]
    num_syms = b"\3\3\3\0"
    count = -(-int.from_bytes(num_syms, "little") // 256)
    names = num_syms * (1300 * count // 4 + 35_000)
    return a_raw_image(
        bytes(-len(a_raw_image()) % 8)
        + names
        + bytes(-len(names) % 8)
        + struct.pack(f"<{count}I", *range(0, 1300 * count, 1300))
        + b"".join(text + b"\0" for text in texts).ljust(-(-(starts[-1] + 4) // 8) * 8, b"\0")
        + struct.pack("<256H", *starts)
        + bytes(4096)
    )

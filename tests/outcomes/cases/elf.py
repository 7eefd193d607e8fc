"""Files that are not what the ELF specification, or the loader, wants."""

from __future__ import annotations

from tests.outcomes.case import Case, iload, load, shown, single, tiny
from tests.outcomes.patching import Patch, contents, cut, header, renamed, section, symbol

SHT_NULL, SHT_PROGBITS, SHT_NOBITS = 0, 1, 8
THIS_MODULE = ".gnu.linkonce.this_module"


def ok(id: str, what: str, *patches: Patch) -> Case:  # noqa: A002  # it is one
    """Return the case of tm_ok, patched."""
    return single(id, what, tiny("tm_ok", *patches))


CASES = (
    ok("elf-exec", "e_type ET_EXEC", header("type", 2)),
    ok("elf-none", "e_type ET_NONE", header("type", 0)),
    ok("elf-machine", "another processor's machine number", header("machine", 183)),
    ok("elf-class32", "EI_CLASS 1, which the kernel does not look at", header("class", 1)),
    ok("elf-big-endian", "EI_DATA 2, which it does not look at either", header("data", 2)),
    ok(
        "elf-version",
        "e_version and e_ehsize of nonsense",
        header("version", 9),
        header("ehsize", 1),
    ),
    ok("elf-magic", "the magic is damaged", header("magic", 0x7E)),
    ok("elf-shentsize", "e_shentsize 32", header("shentsize", 32)),
    ok("elf-shoff", "the section table begins behind the file", header("shoff", 1 << 40)),
    ok(
        "elf-shoff-end", "the section table begins at the file's very end", header("shoff", 1 << 20)
    ),
    ok("elf-shnum", "more section headers than the file has room for", header("shnum", 60000)),
    ok("elf-shnum-0", "no section at all", header("shnum", 0)),
    ok("elf-shstrndx", "e_shstrndx beyond the table", header("shstrndx", 999)),
    ok("elf-shstrndx-0", "e_shstrndx 0", header("shstrndx", 0)),
    ok("elf-sec0-size", "section 0 has a size", section(0, "size", 8)),
    ok("elf-sec0-type", "section 0 has a type", section(0, "type", 1)),
    ok("elf-sec0-addr", "section 0 has an address", section(0, "addr", 1)),
    ok(
        "elf-names-unterminated",
        "the section names do not end in NUL",
        contents(".shstrtab", lambda old: old[:-1] + b"x"),
    ),
    ok("elf-names-empty", "no section names", section(".shstrtab", "size", 0)),
    ok(
        "elf-names-outside",
        "the section names lie outside",
        section(".shstrtab", "offset", 1 << 30),
    ),
    ok("elf-names-type", "the section names are no string table", section(".shstrtab", "type", 1)),
    ok(
        "elf-section-outside",
        "a section reaches past the end",
        section(".modinfo", "size", 1 << 30),
    ),
    ok("elf-section-wraps", "offset and size wrap", section(".modinfo", "offset", (1 << 64) - 8)),
    ok(
        "elf-section-name",
        "a name that begins behind the names",
        section(".modinfo", "name", 1 << 20),
    ),
    ok(
        "elf-section-name-comment",
        "the same of a section that takes no memory",
        section(".comment", "name", 1 << 20),
    ),
    ok("elf-symtab-link-0", "the symbols have no names", section(".symtab", "link", 0)),
    ok("elf-symtab-link", "the symbols' names are in no section", section(".symtab", "link", 999)),
    ok("elf-strtab-type", "the symbols' names are no string table", section(".strtab", "type", 1)),
    ok("elf-no-symtab", "no symbol table", section(".symtab", "type", SHT_PROGBITS)),
    Case(
        id="elf-two-symtabs",
        what="two symbol tables; 6.1 follows the first, wherever it leads",
        files={
            "m": tiny("tm_ok", section(".comment", "type", 2), section(".comment", "link", 1)),
        },
        steps=(load("m"), *shown("tm_ok")[:1]),
        series=("6.12",),
    ),
    ok("elf-cut", "the file is cut in the middle", cut(2000)),
    ok("elf-cut-end", "the last byte of the file is missing", cut(-1)),
    ok("module-none", "no struct module", renamed(THIS_MODULE, ".gnu.linkonce.other")),
    ok("module-no-alloc", "struct module takes no memory", section(THIS_MODULE, "flags", 1)),
    ok("module-two", "two of them", renamed(".comment", THIS_MODULE)),
    Case(
        id="module-size",
        what="struct module is 8 bytes longer than the kernel's",
        files={"m": tiny("tm_ok", contents(THIS_MODULE, lambda old: old + bytes(8)))},
        steps=(load("m"), *shown("tm_ok")[:1]),
        series=("6.12",),
    ),
    Case(
        id="module-nobits",
        what="struct module has no contents",
        files={"m": tiny("tm_ok", section(THIS_MODULE, "type", SHT_NOBITS))},
        steps=(load("m"), *shown("tm_ok")[:1]),
        series=("6.12",),
    ),
    ok("modinfo-none", "no section .modinfo", renamed(".modinfo", ".modinfx")),
    ok("modinfo-two", "two sections .modinfo", renamed(".comment", ".modinfo")),
    ok("modinfo-no-alloc", "a .modinfo that takes no memory", section(".modinfo", "flags", 0)),
    single("section-wx", "a section both writable and executable", tiny("tm_wx")),
    ok(
        "section-wx-no-memory",
        "the same of one that takes no memory",
        section(".comment", "flags", 5),
    ),
    single("symbol-common", "a common symbol", tiny("tm_common")),
    ok(
        "symbol-index",
        "a symbol of a section that is not there",
        symbol("cleanup_module", "shndx", 200),
    ),
    ok(
        "symbol-index-2",
        "two of them",
        symbol("cleanup_module", "shndx", 200),
        symbol("init_module", "shndx", 300),
    ),
    Case(
        id="symbols-rare",
        what="absolute, weak, untyped symbols, and one in notes",
        files={"m": tiny("tm_symbols")},
        steps=(load("m"), *shown("tm_symbols")),
    ),
    Case(
        id="sections-aligned",
        what="sections with large alignments",
        files={"m": tiny("tm_align")},
        steps=(load("m"), *shown("tm_align")),
    ),
    Case(
        id="sections-of-every-kind",
        what="per-CPU data, a jump table, data that turns read-only, a large .bss",
        files={"m": tiny("tm_percpu")},
        steps=(load("m"), *shown("tm_percpu")),
    ),
    Case(
        id="symbols-local",
        what="local symbols, some with the same name",
        files={"m": tiny("tm_static")},
        steps=(load("m"), *shown("tm_static")),
    ),
    Case(
        id="no-text",
        what="a module without one byte of code",
        files={"m": tiny("tm_notext")},
        steps=(load("m"), *shown("tm_notext"), iload("m")),
    ),
)

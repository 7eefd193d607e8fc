"""Symbol tables, and what differs between two. Addresses are hexadecimal text, null if hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.diagnose.symbols import TableInUse
    from lkm.kallsyms.diff import Diff, ModuleChanges
    from lkm.kallsyms.table import Symbol, SymbolTable
    from lkm.report.documents.writing import Document


def symbols_document(used: TableInUse, table: SymbolTable) -> Document:
    """Return the symbols that were asked for, in the order of the table."""
    hidden = used.table.hidden
    return {
        "schema": "lkm.kallsyms/1",
        **_origin(used),
        "symbols": [_symbol(symbol, hidden=hidden) for symbol in table],
    }


def address_document(used: TableInUse, address: int, found: tuple[Symbol, int] | None) -> Document:
    """Return the symbol that *address* lies in, and how many bytes behind its beginning."""
    return {
        "schema": "lkm.kallsyms-address/1",
        **_origin(used),
        "address": _address(address),
        "symbol": None if found is None else _symbol(found[0], hidden=False),
        "offset": None if found is None else found[1],
    }


def saved_document(used: TableInUse, path: str) -> Document:
    """Return what was saved, and where."""
    return {
        "schema": "lkm.kallsyms-saved/1",
        **_origin(used),
        "path": path,
        "count": len(used.table),
    }


def diff_document(diff: Diff, *, lists: bool) -> Document:
    """Return what differs, by module; without *lists* only the numbers."""
    return {
        "schema": "lkm.kallsyms-diff/1",
        "before": {"release": diff.before_release or None, "count": diff.before_count},
        "after": {"release": diff.after_release or None, "count": diff.after_count},
        "addresses_hidden": diff.hidden,
        "modules": [_changes(changes, diff, lists=lists) for changes in diff.modules],
    }


def _changes(changes: ModuleChanges, diff: Diff, *, lists: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "module": changes.module or None,
        "came": changes.module_came,
        "went": changes.module_went,
        "shift": changes.shift,
        "counts": {
            "added": len(changes.added),
            "removed": len(changes.removed),
            "moved": changes.moved_count,
            "retyped": len(changes.retyped),
        },
    }
    if lists:
        facts["added"] = [_symbol(each, hidden=diff.after_hidden) for each in changes.added]
        facts["removed"] = [_symbol(each, hidden=diff.before_hidden) for each in changes.removed]
        facts["moved"] = [
            {
                "name": each.name,
                "type": each.type,
                "before": _address(each.before),
                "after": _address(each.after),
            }
            for each in changes.moved
        ]
        facts["retyped"] = [
            {
                "name": each.name,
                "address": None if diff.after_hidden else _address(each.address),
                "before": each.before,
                "after": each.after,
            }
            for each in changes.retyped
        ]
    return facts


def _origin(used: TableInUse) -> dict[str, object]:
    return {
        "release": used.table.release or None,
        "source": used.source,
        "addresses_hidden": used.table.hidden,
        "why_hidden": used.why_hidden or None,
    }


def _symbol(symbol: Symbol, *, hidden: bool) -> dict[str, object]:
    return {
        "address": None if hidden else _address(symbol.address),
        "type": symbol.type,
        "name": symbol.name,
        "module": symbol.module or None,
    }


def _address(address: int) -> str:
    return f"0x{address:016x}"

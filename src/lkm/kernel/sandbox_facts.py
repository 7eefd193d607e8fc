"""The sandbox kernel as the module loader sees it: what is stored, as the checks want it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing

from lkm._text import encode
from lkm.errors import LkmError
from lkm.kernel.kernel_rows import (
    as_address,
    read_btf,
    read_certificates,
    read_options,
    read_tree_exports,
    read_values,
    was_logged,
)
from lkm.kernel.loaded import LIVE
from lkm.kernel.rows import as_crc, as_state, read_areas, read_percpu
from lkm.kernel.store import as_number, as_text
from lkm.loader.boot_options import boot_options
from lkm.loader.btf.checks import MISMATCH
from lkm.loader.facts import ASKING, KernelFacts, KernelSymbol, Providers
from lkm.loader.taint import Taint
from lkm.names import alias_name, module_name
from lkm.tree.catalog import SYMBOLS, Catalog


def kernel_facts(
    connection: sqlite3.Connection, *, capable: bool = True, asking: str = ASKING
) -> KernelFacts:
    """Return the kernel as the loader sees it; its symbols are looked up when asked for."""
    values = read_values(connection)
    boot = boot_options(values["command_line"])
    loaded = connection.execute("SELECT name, state FROM module")
    states = {as_text(name): as_state(state) for name, state in loaded}
    sysfs_names = connection.execute("SELECT name FROM sysfs_name")
    options = read_options(values)
    struct_size = values["struct_module_size"]
    return KernelFacts(
        release=values["release"],
        machine=int(values["machine"]),
        is_64bit=values["is_64bit"] == "1",
        order=values["order"],
        vermagic=values["vermagic"] or None,
        modversions=values["modversions"] == "1",
        retpoline=values["retpoline"] == "1" and boot.spectre_v2,
        symbols=_Symbols(connection),
        loaded=states,
        sysfs_names=frozenset([as_text(name) for (name,) in sysfs_names]),
        blacklist=boot.blacklist,
        modules_disabled=boot.modules_disabled or values["modules_disabled"] == "1",
        nomodule=boot.modules_disabled,
        signatures_enforced=options.module_sig_force or boot.signatures_enforced,
        tainted=Taint(int(values["tainted"])),
        options=options,
        struct_module_size=int(struct_size) if struct_size else None,
        certificates=read_certificates(connection) if values["certificates_told"] == "1" else None,
        enrolled=read_certificates(connection, enrolled=True),
        btf=read_btf(connection, values),
        btf_mismatch_told=was_logged(connection, MISMATCH),
        capable=capable,
        asking=asking,
        locked_down=options.locks_down or (options.security_lockdown_lsm and boot.locked_down),
        areas_taken=read_areas(connection),
        percpu_taken=read_percpu(connection),
        percpu_end=int(values["percpu_end"]),
        tree_exports=None if values["exports_source"] else _TreeExports(connection),
        exporters=_Exporters(values["directory"]) if _is_indexed(values["directory"]) else None,
        algorithms=_Algorithms(values["directory"], states),
    )


class _TreeExports:
    """Whether a module of the tree exports a name; read when the first is asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._names: frozenset[bytes] | None = None

    def __call__(self, name: str) -> bool:
        if self._names is None:
            self._names = read_tree_exports(self._connection)
        return encode(name) in self._names


def _is_indexed(directory: str) -> bool:
    return os.path.isfile(f"{directory}/{SYMBOLS}.bin")


class _Exporters:
    """Which modules of a tree that has indexes export a symbol; few modules lack one."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: dict[str, tuple[str, ...]] = {}

    def __call__(self, name: str) -> tuple[str, ...]:
        if name not in self._known:
            try:
                with closing(Catalog.open(self._directory)) as catalog:
                    owners = catalog.symbol_owners(f"symbol:{name}")
            except LkmError:  # an index that is damaged
                owners = ()
            self._known[name] = tuple(dict.fromkeys(owners))
        return self._known[name]


class _Algorithms:
    """Who offers an algorithm: what is built in or in *states* as live, and what the tree has.

    The tree is opened when the first one is asked for; few modules ask.
    """

    def __init__(self, directory: str, states: Mapping[str, str]) -> None:
        self._directory = directory
        self._states = states

    def __call__(self, algorithm: str) -> Providers:
        try:
            with closing(Catalog.open(self._directory)) as catalog:
                built_in, loadable = _offering(catalog, algorithm)
        except LkmError:  # without a tree there is only what is loaded
            built_in, loadable = (), ()
        names = dict.fromkeys((*loadable, module_name(algorithm)))
        live = [name for name in names if self._states.get(name) == LIVE]
        return Providers((*built_in, *live), loadable)


def _offering(catalog: Catalog, algorithm: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the modules that offer *algorithm*: built in, and in the tree."""
    words = [alias_name(f"crypto-{algorithm}"), alias_name(algorithm)]
    name = module_name(algorithm)
    built_in = [each for word in words for each in catalog.builtin_aliases(word)]
    loadable = [each for word in words for each in catalog.aliases(word)]
    built_in += [name] if catalog.is_builtin(name) else []
    loadable += [name] if catalog.entry(name) is not None else []
    return tuple(dict.fromkeys(built_in)), tuple(dict.fromkeys(loadable))


class _Symbols(Mapping[str, tuple[KernelSymbol, ...]]):
    """What the kernel and its modules export, in the kernel's order of search.

    The kernel first, then modules, newest first; looked up name by name, inside the transaction
    that *connection* is in.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # A module's imports are asked for several times, and nothing changes in a transaction.
        self._known: dict[str, tuple[KernelSymbol, ...]] = {}

    def __getitem__(self, name: str) -> tuple[KernelSymbol, ...]:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._found(name)
        if not found:
            raise KeyError(name)
        return found

    def _found(self, name: str) -> tuple[KernelSymbol, ...]:
        key = (encode(name),)
        found = [
            KernelSymbol(
                name=name,
                crc=as_crc(crc),
                crc_known=bool(crc_known),
                gpl_only=bool(gpl_only),
                namespace=as_text(namespace),
                address=as_address(address),
            )
            for crc, crc_known, gpl_only, namespace, address in self._connection.execute(
                "SELECT crc, crc_known, gpl_only, namespace, address FROM symbol WHERE name = ?",
                key,
            )
        ]
        found += [
            KernelSymbol(
                name=name,
                crc=as_crc(crc),
                gpl_only=bool(gpl_only),
                namespace=as_text(namespace),
                address=as_address(address),
                owner=as_text(owner),
                owner_taints=Taint(as_number(taints)),
                owner_state=as_state(state),
            )
            for crc, gpl_only, namespace, address, owner, taints, state in self._connection.execute(
                "SELECT crc, gpl_only, namespace, export.address, module.name, taints, state "
                "FROM export JOIN module ON module.number = export.module WHERE export.name = ? "
                "ORDER BY module.number DESC",
                key,
            )
        ]
        return tuple(found)

    def __iter__(self) -> Iterator[str]:
        found = self._connection.execute("SELECT name FROM symbol UNION SELECT name FROM export")
        return iter([as_text(name) for (name,) in found])

    def __len__(self) -> int:
        return sum(1 for _name in self)

"""Loading a module into the sandbox: the engine's answer, and what is written down of it."""

from __future__ import annotations

import sqlite3
from typing import Final, Literal

from lkm.errors import CannotTellError, KernelError, UsageError
from lkm.kernel import kernel_rows, rows
from lkm.kernel.loaded import COMING, LIVE
from lkm.kernel.module_files import coming_lines, kallsyms_lines, module_files, parameters_as_set
from lkm.kernel.refusals import refusal
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.loader.checks import Verdict, examine
from lkm.loader.facts import KernelFacts
from lkm.loader.findings import Finding
from lkm.loader.init.algorithms import INIT
from lkm.loader.init.checks import CLEANUP, has_function
from lkm.loader.symbols.exported import export_addresses
from lkm.module.file import ModuleImage

NEVER: Final = "never"
"""Said of an init or exit function that does not return."""

InitReturns = int | Literal["never"] | None
"""What a module's init is said to return; None where nobody has said that."""

_LOWEST = -4095  # what lies below, the C library takes for no error


def insert(
    connection: sqlite3.Connection,
    image: ModuleImage,
    params: str,
    flags: int,
    init_returns: InitReturns,
    *,
    capable: bool,
) -> Verdict:
    """Load *image*, or write down what its refusal leaves behind; return what the checks came to.

    Raises ``CannotTellError`` where what its init does hangs on what is not known, and
    ``UsageError`` where it is told of an init that there is not; nothing is changed then.
    """
    if isinstance(init_returns, int) and init_returns < _LOWEST:
        raise UsageError(f"init cannot return {init_returns}: errnos end at {_LOWEST}")
    kernel = kernel_facts(connection, capable=capable)
    answer = 0 if init_returns == NEVER else init_returns
    verdict = examine(image, kernel, flags=flags, params=params, init_returns=answer)
    module = verdict.module
    if init_returns is not None and module is not None and not has_function(module, INIT):
        raise UsageError(f"{module.name} has no init function that could return {init_returns}")
    _raise_where_undecided(image, verdict)
    if not verdict.errno:
        state = COMING if init_returns == NEVER else LIVE
        _write_module(connection, image, verdict, kernel, state)
    kernel_rows.write_log(connection, verdict.log)
    kernel_rows.write_values(connection, {"tainted": str(int(verdict.tainted))})
    return verdict


def _raise_where_undecided(image: ModuleImage, verdict: Verdict) -> None:
    """Raise ``CannotTellError`` where the answer itself hangs on what is not known."""
    deciding = verdict.refusal
    undecided = [doubt for doubt in verdict.doubts if doubt.check == "init"]
    if deciding is not None:
        undecided = [deciding] if deciding.could_not_tell else []
    for doubt in undecided:
        raise CannotTellError("insert", image.name, doubt.evidence, doubt.remedy)


def refused(image: ModuleImage, verdict: Verdict) -> KernelError:
    """Return the error of an insert that *verdict* refuses."""
    log = tuple([line for each in verdict.log for line in each.text.split("\n")])
    finding = verdict.refusal
    remedy = finding.remedy if finding is not None else ""
    if finding is not None and finding.evidence and not finding.log:
        # No line of the kernel tells why.
        remedy = f"{finding.evidence}; {remedy}" if remedy else finding.evidence
    name = verdict.module.name if verdict.module is not None else image.name
    return refusal("insert", name, verdict.errno, log=log, remedy=remedy)


def told_doubts(verdict: Verdict) -> tuple[Finding, ...]:
    """Return the findings that could not tell of a module that was let through."""
    return () if verdict.errno else verdict.doubts


def _write_module(
    connection: sqlite3.Connection,
    image: ModuleImage,
    verdict: Verdict,
    kernel: KernelFacts,
    state: str,
) -> None:
    """Write down the module that the checks let through, where they placed it."""
    module = verdict.module
    assert module is not None  # the checks let it through
    assert module.placed is not None
    laid_out, placed = module.placed.laid_out, module.placed.allocations
    addresses = module.placed.addresses
    texts = [each.start for each in placed if each.kind in {"core", "text"} and not each.init]
    rows.insert_module(
        connection,
        rows.NewModule(
            name=module.name,
            state=state,
            size=laid_out.size,
            init_size=laid_out.init_size,
            exits=has_function(module, CLEANUP),
            address=next(iter(texts), None),
            taints=verdict.taints,
            permanent=module.permanent,
            version=module.modinfo.get("version"),
            srcversion=module.modinfo.get("srcversion"),
            path=image.path,
            params=module.params or "",
            allocations=placed,
            exports=module.exports,
            export_addresses=export_addresses(module),
            owners=verdict.owners,
            kallsyms=kallsyms_lines(module, laid_out, addresses, kernel.symbols),
            coming_kallsyms=b""
            if state == LIVE
            else coming_lines(module, laid_out, addresses, kernel.symbols),
            files=module_files(module, laid_out, addresses, kernel.options),
            parameters=parameters_as_set(module),
            doubts=[(doubt.check, doubt.evidence) for doubt in told_doubts(verdict)],
        ),
    )

"""Loading a module into the sandbox: the engine's answer, and what is written down of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
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
from lkm.loader.init.checks import CLEANUP, has_function, held_by_init
from lkm.loader.symbols.exported import export_addresses
from lkm.module.file import ModuleImage
from lkm.names import ModuleName

NEVER: Final = "never"
"""Said of an init or exit function that does not return."""

InitReturns = int | Literal["never"] | None
"""What a module's init is said to return; None where nobody has said that."""

_COMM = 15  # of a process's name the kernel keeps as many bytes
_LOWEST = -4095  # what lies below, the C library takes for no error


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the kernel with a module: its parameters, finit_module's flags.

    *init_returns* is what its init returns, *capable* whether the process that asks, whose *name*
    the kernel logs, has CAP_SYS_MODULE.
    """

    params: str | None
    flags: int
    init_returns: InitReturns
    capable: bool
    name: str


def insert(connection: sqlite3.Connection, image: ModuleImage, asked: Asked) -> Verdict:
    """Load *image*, or write down what its refusal leaves behind; return what the checks came to.

    Raises ``CannotTellError`` where what its init does hangs on what is not known, and
    ``UsageError`` where it is told of an init that there is not; nothing is changed then.
    """
    init_returns = asked.init_returns
    if isinstance(init_returns, int) and init_returns < _LOWEST:
        raise UsageError(f"init cannot return {init_returns}: errnos end at {_LOWEST}")
    kernel = kernel_facts(connection, capable=asked.capable, asking=asked.name[:_COMM])
    answer = 0 if init_returns == NEVER else init_returns
    verdict = examine(image, kernel, flags=asked.flags, params=asked.params, init_returns=answer)
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
        name = loaded_name(image, verdict)
        raise CannotTellError("insert", name, doubt.evidence, doubt.remedy, check=doubt.check)


def refused(image: ModuleImage, verdict: Verdict) -> KernelError:
    """Return the error of an insert that *verdict* refuses."""
    log = tuple([line for each in verdict.log for line in each.text.split("\n")])
    error = refusal("insert", loaded_name(image, verdict), verdict.errno, log=log)
    finding = verdict.refusal
    if finding is not None:
        error.check, error.evidence, error.remedy = finding.check, finding.evidence, finding.remedy
        if finding.check == "parameter" and image.path:
            error.remedy += f"; `lkm modinfo -p {image.path}` tells of all its parameters"
    return error


def loaded_name(image: ModuleImage, verdict: Verdict) -> ModuleName:
    """Return the name in its struct module, that of the file where it was not read so far."""
    return image.name if verdict.module is None else ModuleName(verdict.module.name)


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
            held=held_by_init(module, kernel),
            kallsyms=kallsyms_lines(module, laid_out, addresses, kernel.symbols),
            coming_kallsyms=b""
            if state == LIVE
            else coming_lines(module, laid_out, addresses, kernel.symbols),
            files=module_files(module, laid_out, addresses, kernel.options),
            parameters=parameters_as_set(module),
            doubts=[(doubt.check, doubt.evidence) for doubt in told_doubts(verdict)],
        ),
    )

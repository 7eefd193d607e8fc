"""What a module's init function answers.

It does not run here, so that is 0 unless somebody says otherwise. One thing is known to decide it
that can be looked at: whether the crypto API has an algorithm that it asks for. What needs a device
is no such case: a driver's init registers it, and succeeds without a device.

Source: kernel/module/main.c, do_init_module; crypto/api.c, crypto_alg_mod_lookup.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding, LogLine
from lkm.loader.init.algorithms import INIT, asked_algorithms

CLEANUP = "cleanup_module"
"""The name of the exit function."""

# The modules whose init keeps what it asks for until exit; others give it back, or only look
# whether it is there. Source: lib/libcrc32c.c, libcrc32c_mod_init; fs/ubifs/compress.c, compr_init.
_KEEP_ALGORITHMS = frozenset({"libcrc32c", "ubifs"})


def init(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Take what the init function is said to return; else tell what that may hang on."""
    if not has_function(module, INIT):
        return
    answer = module.init_returns
    if answer is None:
        yield from _algorithms(module, kernel)
    elif answer < 0:
        name = errno.errorcode.get(-answer, "no errno that has a name")
        meaning = f" ({name}: {os.strerror(-answer)})" if -answer in errno.errorcode else ""
        yield Finding(
            check="init",
            errno=-answer,
            evidence=f"its init function is said to return {answer}{meaning}",
            remedy="its init function tells why: see its source, and the lines that it logs",
        )
    elif answer:
        yield Finding(
            check="init",
            log=(positive_line(module.name, answer),),
            evidence=f"its init function is said to return {answer}, which Linux takes for success",
        )


def held_by_init(module: ModuleFacts, kernel: KernelFacts) -> tuple[str, ...]:
    """Return the loaded modules on whose algorithms the init of *module* takes a reference.

    No module stands for it in ``/proc/modules``. Of several that offer an algorithm the one that is
    not generic is taken, as the crypto API goes by priority.
    """
    if module.name not in _KEEP_ALGORITHMS or kernel.algorithms is None:
        return ()
    try:
        asked = asked_algorithms(module)
    except FormatError:
        return ()
    held: dict[str, None] = {}
    for ready in [kernel.algorithms(algorithm).ready for algorithm in asked if algorithm]:
        for name in sorted(ready, key=lambda name: name.endswith("_generic"))[:1]:
            if name in kernel.loaded:
                held[name] = None
    return tuple(held)


def positive_line(name: str, answer: int) -> LogLine:
    """Return what the kernel logs of a module's init that returned *answer*, a positive number.

    It is one record of the log, of two lines. A stack trace follows it in a real one.
    """
    function = "do_init_module"
    return LogLine(
        4,
        f"{function}: '{name}'->init suspiciously returned {answer}, it should follow 0/-E "
        f"convention\n{function}: loading module anyway...",
    )


def has_function(module: ModuleFacts, name: str) -> bool:
    """Tell whether *module* has the function *name*: ``init_module`` or ``cleanup_module``."""
    return any(symbol.name == name and symbol.section_index for symbol in module.symbols)


def _algorithms(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    try:
        asked = asked_algorithms(module)
    except FormatError as error:
        yield _unsure(f"what its init asks the crypto API for cannot be read: {error}")
        return
    for algorithm in asked:
        if not algorithm:
            yield _unsure("its init asks the crypto API for an algorithm, not told which")
            continue
        if kernel.algorithms is None:
            yield _unsure(
                f"its init asks the crypto API for {algorithm}, and who offers that on "
                "this kernel is not known"
            )
            continue
        offered = kernel.algorithms(algorithm)
        if not offered.ready:
            yield _unsure(_evidence(algorithm, offered.loadable), _remedy(offered.loadable))


def _evidence(algorithm: str, loadable: tuple[str, ...]) -> str:
    offers = f"{' and '.join(loadable)} would" if loadable else "no module of its tree would"
    return f"its init asks the crypto API for {algorithm}, which nothing loaded offers ({offers})"


def _remedy(loadable: tuple[str, ...]) -> str:
    said = "say what init returns (--init-returns 0, or -2)"
    generic = sorted(loadable, key=lambda name: (not name.endswith("_generic"), name))
    return f"load {generic[0]} first, or {said}" if generic else said


def _unsure(
    evidence: str, remedy: str = "say what init returns: --init-returns 0, or -2"
) -> Finding:
    return Finding(check="init", evidence=evidence, remedy=remedy, could_not_tell=True)

"""What a user says that a module's init and exit do in the sandbox, where neither of them runs."""

from __future__ import annotations

from lkm._text import quoted
from lkm.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.cli.options import Parsed
    from lkm.kernel.protocol import Kernel
    from lkm.kernel.sandbox_inserting import InitReturns
    from lkm.names import ModuleName

_LOWEST, _HIGHEST = -4095, 2**31 - 1


def init_answer(parsed: Parsed) -> InitReturns:
    """Return what --init-returns says. Raises ``UsageError``, also where no sandbox is meant."""
    _ask_sandbox(parsed, "--init-returns")
    text = parsed.last("init_returns")
    return "never" if text == "never" else init_number(text, "--init-returns")


def init_number(text: str, option: str = "") -> int:
    """Return *text* as what an init can return. Raises ``UsageError``, which names the *option*."""
    digits = text.removeprefix("-")
    # The kernel's own names of errnos are not taken: their numbers differ between machines.
    if not digits.isdecimal() or not digits.isascii() or not _LOWEST <= int(text) <= _HIGHEST:
        or_never = " or the word never" if option else ""
        raise UsageError(
            f"{option or 'N'} takes a number from {_LOWEST} on (0, or -19 for ENODEV){or_never}, "
            f"not {quoted(text)}"
        )
    return int(text)


def exit_hangs(parsed: Parsed) -> bool:
    """Tell whether --exit-returns says that it never does; raises as ``init_answer``."""
    if not parsed.has("exit_returns"):
        return False
    _ask_sandbox(parsed, "--exit-returns")
    text = parsed.last("exit_returns")
    if text != "never":
        raise UsageError(f"--exit-returns takes never, not {quoted(text)}: an exit has no value")
    return True


def answer_inits(kernel: Kernel, names: Iterable[ModuleName], init_returns: InitReturns) -> None:
    """Tell *kernel*, a sandbox, what the init of each of *names* returns."""
    from lkm.kernel.sandbox import Sandbox  # only where somebody says it

    if isinstance(kernel, Sandbox):
        for name in names:
            kernel.answer(name, init_returns)


def remove_hanging(kernel: Kernel, name: ModuleName, flags: int) -> None:
    """Remove a module of *kernel*, a sandbox, whose exit does not return."""
    from lkm.kernel.sandbox import Sandbox  # see above

    if isinstance(kernel, Sandbox):
        kernel.remove(name, flags=flags, exit_hangs=True)


def _ask_sandbox(parsed: Parsed, option: str) -> None:
    if parsed.last("on") != "sandbox":
        raise UsageError(
            f"{option} is for a kernel that runs no code of modules: --on sandbox; the live one "
            "asks the module itself"
        )

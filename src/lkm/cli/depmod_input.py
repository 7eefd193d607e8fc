"""What ``lkm depmod`` is to index: the tree or the files, the configuration, the kernel's symbols.

Each is read in kmod's order, and told in its words where it cannot be.
"""

from __future__ import annotations

import errno
import os

from lkm._value import Value
from lkm.errors import FileError, NoTreeError, UsageError
from lkm.names import module_name_of_path
from lkm.tree.installed import looks_like_a_release, modules_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.cli.target import Target
    from lkm.errors import LkmError
    from lkm.tree.depmod.indexes import Checks, Indexes
    from lkm.tree.depmod.kernel_symbols import KernelSymbols
    from lkm.tree.problem import Problem
    from lkm.tree.scan.search import SearchRules


class Place(Value):
    """Where the modules of *release* are (*directory*) and where the indexes go (*out*)."""

    __slots__ = ("directory", "out", "release")

    def __init__(self, release: str, directory: str, out: str) -> None:
        self.release: Final = release
        self.directory: Final = directory
        self.out: Final = out


def place_of(parsed: Parsed, target: Target, release: str) -> Place:
    """Return where to read and to write; both are put together as kmod shows them."""
    out = absolute(parsed, "outdir")
    if target.on != "live":
        directory = os.path.abspath(target.directory)
        release = release or os.path.basename(directory)
        return Place(release, directory, f"{out}/lib/modules/{release}" if out else directory)
    release = release or os.uname().release
    root = absolute(parsed, "basedir")
    if parsed.has("moduledir"):
        folder = parsed.last("moduledir").strip("/")
    else:
        folder = modules_folder(root, release)
    directory = f"{root}/{folder}/{release}"
    return Place(release, directory, f"{out}/{folder}/{release}" if out else directory)


def absolute(parsed: Parsed, key: str) -> str:
    """Return the option's folder behind the current one, otherwise as it was typed."""
    if not parsed.has(key):
        return ""
    typed = parsed.last(key)
    return typed if typed.startswith("/") else f"{os.getcwd()}/{typed}"


def nothing_to_do(place: Place, console: Console) -> bool:
    """Tell whether -A ends here; what was met on the way is said, once."""
    from lkm.tree.depmod.up_to_date import is_up_to_date  # only -A asks

    if not os.path.isdir(place.directory):
        return False
    if not os.path.exists(f"{place.out}/modules.dep"):
        reason = os.strerror(errno.ENOENT)
        console.error(f"could not fstatat({place.out}, modules.dep): {reason}")
        return False
    up_to_date, problems = is_up_to_date(place.directory, place.out)
    if not up_to_date:
        return False
    say(problems, console)
    return True


def kernel_symbols(parsed: Parsed, prefix: str) -> KernelSymbols | None:
    """Read what -E or -F names. Raises ``FileError``."""
    if parsed.has("symvers"):
        from lkm.tree.depmod.kernel_symbols import read_symvers  # a rare option

        return read_symvers(parsed.last("symvers"), prefix)
    if parsed.has("filesyms"):
        from lkm.tree.depmod.kernel_symbols import read_system_map  # a rare option

        return read_system_map(parsed.last("filesyms"), prefix)
    return None


def checks_of(
    parsed: Parsed, console: Console, kernel: KernelSymbols | None, prefix: str
) -> Checks:
    """Return what is asked besides the indexes; say what is wrong with the *kernel*'s file."""
    from lkm.tree.depmod.indexes import Checks  # -A alone does not need it

    asked = parsed.has("errsyms")
    if kernel is not None:
        say(kernel.problems, console)
    elif asked:
        console.warning("-e needs -E or -F")
    return Checks(
        kernel=kernel if asked else None, duplicates=parsed.has("warn"), symbol_prefix=prefix
    )


def rules_of(parsed: Parsed, target: Target, place: Place, console: Console) -> SearchRules:
    """Read depmod.d, or what -C names instead; say what is wrong with it."""
    from lkm.config.depmod_d import DepmodSettings  # -A alone does not need it

    settings = DepmodSettings.read(target.config_root, parsed.every("config"))
    for complaint in settings.complaints:
        console.raw(complaint.kmod_text, text=complaint.message)
    if len(parsed.every("verbose")) > 1:
        for remark in settings.remarks(place.release):
            console.say("INFO", remark)
    return settings.rules(place.release)


def index_tree(
    place: Place, rules: SearchRules, checks: Checks, console: Console
) -> Indexes | None:
    """Index the whole tree; None where it cannot be opened."""
    from lkm.cache import default_cache
    from lkm.tree.depmod.indexes import build_indexes  # -A alone does not need it

    try:
        # What kmod opens first, and says so where it cannot.
        os.close(os.open(place.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as problem:
        _not_opened(place, problem.errno or errno.EIO, console)
        return None
    try:
        return build_indexes(place.directory, rules=rules, checks=checks, cache=default_cache())
    except NoTreeError:
        _not_opened(place, errno.ENOENT, console)
        return None


def _not_opened(place: Place, number: int, console: Console) -> None:
    reason = os.strerror(number)
    console.error(f"could not open directory {place.directory}: {reason}")
    cause = FileError("open", place.directory, number)
    fatal(console, f"could not search modules: {reason}", cause)
    _hint_at_others(place, console)


def _hint_at_others(place: Place, console: Console) -> None:
    """Tell which releases there are a tree of, where that of *place* is missing."""
    parent = os.path.dirname(place.directory.rstrip("/"))
    try:
        there = sorted(name for name in os.listdir(parent) if looks_like_a_release(name))
    except OSError:
        there = []
    if there and not os.path.isdir(place.directory):
        console.hint(f"in {parent} there are: {', '.join(there)}")


def index_files(
    place: Place, files: Sequence[str], checks: Checks, console: Console
) -> Indexes | None:
    """Index the *files* alone; they are read only when all of them can be meant."""
    from lkm.tree.depmod.indexes import build_indexes  # -A alone does not need it

    chosen: dict[str, str] = {}
    for path in files:
        name = module_name_of_path(path)
        if not path.startswith("/"):
            fatal(console, f"{path}: not absolute path.", UsageError(f"{path}: not absolute path."))
            return None
        if not os.path.exists(path):
            missing = FileError("read", path, errno.ENOENT)
            fatal(console, f"could not create module {path}: {os.strerror(errno.ENOENT)}", missing)
            return None
        if name in chosen:
            _say_twice(name, path, chosen[name], console)
            return None
        chosen[name] = path
    return build_indexes(place.directory, files=files, checks=checks)


def _say_twice(name: str, path: str, before: str, console: Console) -> None:
    exists = os.strerror(errno.EEXIST)
    twice = UsageError(f"two files are of one module, {name}: {before} and {path}")
    if path == before:
        console.error(f"hash_add_unique {name}: {exists}")
        fatal(console, f"could not add module {path}: {exists}", twice)
        return
    console.error(
        f"kmod_module '{name}' already exists with different path: "
        f"new-path='{path}' old-path='{before}'"
    )
    fatal(console, f"could not create module {path}: {exists}", twice)


def say(problems: Sequence[Problem], console: Console) -> None:
    """Say all *problems* in kmod's words."""
    for problem in problems:
        console.say(problem.level, problem.text)


def fatal(console: Console, text: str, cause: LkmError) -> int:
    """Say what ends the program, and is caused by *cause*; return its exit status."""
    console.cause = cause
    console.say("FATAL", text)
    return 1

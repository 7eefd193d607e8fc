"""Insert a module while other processes may insert or remove the same one.

The kernel makes a second insertion wait for the first. If that comes to live, the second one is
told EEXIST; if it fails, EBUSY, without a try of its own, since Linux 6.2 and the stable series of
then ("module: Don't wait for GOING modules"); a module on its way out is EBUSY as well. Linux 6.5
and later (commit 9b9879fc0327, "modules: catch concurrent module loads, treat them as idempotent")
hand what the first one came to to all who insert the same file meanwhile, success too: an answer
to who had seen the module on its way in before the call is not surely about the own insertion.
"""

from __future__ import annotations

import errno

from lkm.errors import AlreadyLoadedError, KernelError
from lkm.kernel.loaded import COMING, GOING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lkm.kernel.protocol import Kernel
    from lkm.module.file import ModuleImage
    from lkm.names import ModuleName

_MOST_TRIES = 5
_LONGEST_REMOVAL_S = 2.0
_LONGEST_PAUSE_S = 0.1
_STILL_GOING = "another process is removing it, and that had not ended after 2 seconds"


def insert_beside_others(
    kernel: Kernel,
    name: ModuleName,
    image: ModuleImage,
    params: str = "",
    *,
    flags: int = 0,
    pause: Callable[[float], None],
    stopped: Callable[[], bool],
) -> bool:
    """Insert *image*, again where another process that did, or removed it, was in the way.

    Return whether it is surely this call that inserted it, and not another process that was at it
    already: what may be that one's is not to be removed again as if it were ours.

    A removal under way is waited for, two seconds at most, by *pause*, which takes seconds. EBUSY
    without another process to be seen may mean one that has failed already, or be the answer of the
    module's own init: then there is one more try. So there is where a signal cut a wait short,
    unless *stopped* says that it was to end us, and after any failure that may be another's. Of
    another kernel than the live one, where nothing happens at the same time, the first answer
    counts. Raises what ``insert`` raises.
    """
    unseen = 0
    live = kernel.name == "live"
    for left in reversed(range(_MOST_TRIES)):
        others = live and _is_coming(kernel, name)
        try:
            kernel.insert(image, params, flags=flags)
        except KernelError as error:
            if not live or not left or stopped() or not (others or _may_be_another(error)):
                raise
            found = kernel.find(name)
            if found is not None and found.state == GOING:
                if _is_gone_soon(kernel, name, pause, stopped):
                    continue
                if not stopped():
                    error.remedy = _STILL_GOING
                raise
            if isinstance(error, AlreadyLoadedError):
                raise
            unseen += found is None and not others
            if unseen > 1:
                raise
        else:
            return not others
    raise AssertionError("the last try returns or raises")


def _is_coming(kernel: Kernel, name: ModuleName) -> bool:
    """Tell whether another process is inserting the module."""
    found = kernel.find(name)
    return found is not None and found.state == COMING


def _may_be_another(error: KernelError) -> bool:
    """Tell whether another try may end otherwise. Before Linux 5.3 going was EEXIST too."""
    return error.errno in (errno.EBUSY, errno.EEXIST, errno.EINTR)


def _is_gone_soon(
    kernel: Kernel, name: ModuleName, pause: Callable[[float], None], stopped: Callable[[], bool]
) -> bool:
    """Wait until the module is not on its way out any more; False if it still is at the end."""
    waited_s, pause_s = 0.0, 0.01
    while waited_s < _LONGEST_REMOVAL_S and not stopped():
        pause(pause_s)
        waited_s += pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        found = kernel.find(name)
        if found is None or found.state != GOING:
            return True
    return False

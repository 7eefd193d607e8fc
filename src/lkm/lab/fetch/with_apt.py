"""Getting something from apt by the machine's own lists, or by lists of lkm's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lkm.errors import FetchError, NoSuchKernelError, PackageToolError
from lkm.lab.fetch.apt import Apt, installed_apt, own_apt
from lkm.lab.fetch.folders import state_folder
from lkm.lab.fetch.watching import Watch

T = TypeVar("T")


def with_apt(architecture: str, folder: str, watch: Watch, fetch: Callable[[Apt], T]) -> T:
    """Return what *fetch* gets from apt, first with the machine's lists, then with lkm's own.

    The machine's may know nothing of *architecture*, or be out of date, and only root may update
    them. Raises what *fetch* raises.
    """

    def tick() -> None:
        watch(f"updating the package lists for {architecture}", 0, 0)

    failed: FetchError | None = None
    apt = installed_apt(architecture)
    if apt is not None:
        try:
            return fetch(apt)
        except (NoSuchKernelError, PackageToolError) as error:
            failed = error
    try:
        own = own_apt(architecture, state_folder(architecture, folder), tick)
    except FetchError:
        if failed is not None:
            raise failed from None
        raise
    return fetch(own)

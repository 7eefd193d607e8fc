"""Which kernel, which tree and which configuration a command is about."""

from __future__ import annotations

import os

from lkm.cli.opening import open_kernel, sandbox_status
from lkm.config.settings import Settings
from lkm.tree.catalog import Catalog
from lkm.tree.installed import tree_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.cli.console import Console
    from lkm.kernel.protocol import Kernel


class Target:
    """A kernel with its tree and its modprobe.d, each opened when first asked for.

    *on* is ``live`` or ``sandbox``. *root* and *release* replace the kernel's own; *config_paths*
    replaces the configuration's directories. The live kernel's configuration is the host's, also
    under another *root*, as in kmod; a sandbox obeys its own root's and its own command line.
    """

    def __init__(
        self,
        on: str,
        console: Console,
        *,
        root: str = "",
        release: str = "",
        config_paths: tuple[str, ...] = (),
    ) -> None:
        self.on: Final = on or "live"
        self._console = console
        self._root = root
        self._release = release
        self._config_paths = config_paths
        self._kernel: Kernel | None = None
        self._catalog: Catalog | None = None
        self._settings: Settings | None = None

    @property
    def kernel(self) -> Kernel:
        """The kernel, opened."""
        if self._kernel is None:
            self._kernel = open_kernel(self.on, self._console)
        return self._kernel

    @property
    def directory(self) -> str:
        """The tree's directory. Raises ``NoTreeError``."""
        if self.on == "live":
            release = self._release or os.uname().release
            return tree_directory(self._root or "/", release)
        status = sandbox_status(self._console)
        if not self._root and self._release in ("", status.release):
            return status.directory
        return tree_directory(self._root or status.root, self._release or status.release)

    @property
    def config_root(self) -> str:
        """The root whose configuration counts: the host's, or the sandbox's own."""
        return "/" if self.on == "live" else sandbox_status(self._console).root

    def catalog(self) -> Catalog:
        """Return the tree. What keeps its indexes from being used is said on stderr, once."""
        if self._catalog is None:
            self._catalog = Catalog.open(self.directory)
            if self._catalog.notice:
                self._console.warning(self._catalog.notice)
        return self._catalog

    def settings(self) -> Settings:
        """Return the configuration that this kernel's modprobe obeys; complaints go to stderr."""
        if self._settings is None:
            sandbox = self.on == "sandbox"
            command_line = (
                sandbox_status(self._console).command_line if sandbox else _host_command_line()
            )
            self._settings = Settings.read(
                root=self.config_root,
                config_paths=self._config_paths,
                tree_texts=self.catalog().config_texts(),
                command_line=command_line,
            )
            for complaint in self._settings.complaints:
                self._console.raw(complaint.kmod_text)
        return self._settings


def _host_command_line() -> str:
    try:
        with open("/proc/cmdline", encoding="utf-8", errors="surrogateescape") as file:
            return file.read(4095)
    except OSError:
        return ""  # no /proc: nothing was given there

"""Which kernel, which tree and which configuration a command is about."""

from __future__ import annotations

import os

from lkm import _text
from lkm.cli.opening import open_kernel, sandbox_status
from lkm.errors import NoTreeError
from lkm.tree.installed import tree_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.cli.console import Console
    from lkm.config.settings import Settings
    from lkm.kernel.protocol import Kernel
    from lkm.tree.catalog import Catalog


_ERROR = 3
_LEVELS = {"err": _ERROR, "info": 6, "debug": 7}


class Target:
    """A kernel with its tree and its modprobe.d, each opened when first asked for.

    *on* is ``live`` or ``sandbox``. *root* and *release* replace the kernel's own, an empty
    release as well: a script whose variable is not set means no running kernel; *config_paths*
    replaces the configuration's directories. The live kernel's configuration is the host's, also
    under another *root*, as in kmod; a sandbox obeys its own root's and its own command line.
    """

    def __init__(
        self,
        on: str,
        console: Console,
        *,
        root: str = "",
        release: str | None = None,
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
            release = os.uname().release if self._release is None else self._release
            directory = tree_directory(self._root or "/", release)
            # As kmod puts them together: modprobe -D shows it.
            return f"/{directory}" if self._root == "/" else directory
        status = sandbox_status(self._console)
        release = status.release if self._release is None else self._release
        if not self._root and release == status.release:
            return status.directory
        return tree_directory(self._root or status.root, release)

    @property
    def config_root(self) -> str:
        """The root whose configuration counts: the host's, or the sandbox's own."""
        return "/" if self.on == "live" else sandbox_status(self._console).root

    def catalog(self) -> Catalog:
        """Return the tree. What keeps its indexes from being used is said on stderr, once."""
        if self._catalog is None:
            from lkm.tree.catalog import Catalog  # lsmod and depmod need none

            self._catalog = Catalog.open(self.directory, on_notice=self._console.warning)
        return self._catalog

    def settings(self) -> Settings:
        """Return the configuration that this kernel's modprobe obeys; complaints go to stderr."""
        if self._settings is None:
            from lkm.config.settings import Settings  # nor these

            sandbox = self.on == "sandbox"
            try:
                tree_texts = self.catalog().config_texts()
            except NoTreeError:
                tree_texts = ()  # whoever needs the tree is told so by the tree
            command_line = (
                sandbox_status(self._console).command_line
                if sandbox
                else _text.of_file("/proc/cmdline") or ""
            )
            self._settings = Settings.read(
                root=self.config_root,
                config_paths=self._config_paths,
                tree_texts=tree_texts,
                command_line=command_line,
            )
            if _log_priority(os.environ.get("KMOD_LOG", "err")) >= _ERROR:
                for complaint in self._settings.complaints:
                    self._console.raw(complaint.kmod_text, text=complaint.message, whatever=True)
        return self._settings


def _log_priority(text: str) -> int:
    """Return what KMOD_LOG says; of the libraries' messages it rules those about configuration."""
    number = text.split(maxsplit=1)[0] if text.strip() else ""
    if number.isdecimal():
        return int(number)
    return next((level for word, level in _LEVELS.items() if text.startswith(word)), 0)

"""The same configuration, read by kmod and by lkm."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm._text import decode
from lkm.config.depmod_d import DepmodSettings
from lkm.config.settings import Settings
from lkm.report.config import config_lines
from tests.config.commandlines import CASES
from tests.config.test_depmod_d import EVERY_KIND as DEPMOD_LINES
from tests.config.test_modprobe_d import EVERY_KIND
from tests.conftest import missing

pytestmark = pytest.mark.oracle

HOST_COMMAND_LINE = Path("/proc/cmdline")

# Where a C programmer's parser and ours could part: each as the whole text of a file. Left out is
# what kmod gets wrong by its memory: a backslash as the very last byte adds a byte 0xff, and -c
# prints `post: z pre: y post: w` as `post: z y w` (modprobe -D shows that it is read right).
TEXTS = (
    EVERY_KIND.replace("weakdep", "# weakdep"),  # which kmod 30 does not know
    *(line.rstrip("\\") for line in EVERY_KIND.replace("weakdep", "#").splitlines()),
    "  # indented\nalias foo-bar mod-one\nalias foo\nalias f[a-b oo\nalias a]b c\n",
    "blacklist a-b-[c-d]-e more\nblacklist\nblacklist cr\r\n   \n\\#alias x y\n\\\\#a\n",
    "options m-o\tx=1\ty=2  z\noptions m\noptions m \noptions m2  \n",
    "options a=\\$1 b=\\\\x \\\n  c\n",
    "install m-x /bin/echo   hi  there \ninstall m-x\ninstall m \nremove m\n",
    "remove *-[a-b] \t/x y\n",
    "softdep s  pre: a-a b post: c\nsoftdep s   pre: a\nsoftdep s \tpre: q\nsoftdep s4 a b\n",
    "softdep s5\nsoftdep s6 pre: post:\nsoftdep s7 post: z post: w \nsoftdep s8 x pre:a\n",
    "softdep s9 pre: a\vb\fc\rd  \nsoftdep s10 \v\n",
    "bogus line \\\n joined \\\n thrice\ninclude /etc/x\nconfig foo\n\talias tab-one\ttwo\n",
    "blacklist nul\0here\nblacklist next\n",
    "blacklist joined\\\n-twice\\\n\nblacklist b\\\n",
    "options last x=1\\\n",
    "options -aa-[b-b]-cc- v\nalias [-]-[--] x-[a-b]-[\n",
    "\n\n \t \nalias a\\ b c\nalias a\\\\\\\\b c\n",
)


def host_command_line() -> str:
    return decode(HOST_COMMAND_LINE.read_bytes()) if HOST_COMMAND_LINE.exists() else ""


def shown(kmod: Path, config: Path, *, prefix: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
    """Return the part of ``modprobe -c`` before the indexes, and what stood on stderr."""
    command = [kmod.parent / "modprobe", "-C", config, "-d", "/nonexistent", "-S", "1.2", "-c"]
    done = subprocess.run([*prefix, *map(str, command)], capture_output=True, check=True)
    return done.stdout.partition(b"\n# End of configuration files")[0], done.stderr


def ours(settings: Settings) -> bytes:
    return "".join(line + "\n" for line in config_lines(settings)).encode(
        "utf-8", "surrogateescape"
    )


def without_place(text: bytes) -> list[str]:
    """Return kmod's complaints without the place in its source, which kmod 30 still prints."""
    return [re.sub(r"ERROR \S+ (\w+)", r"ERROR: \1", line) for line in decode(text).splitlines()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_means_the_same_to_kmod(text: str, kmod: Path, tmp_path: Path) -> None:
    config = tmp_path / "a.conf"
    config.write_bytes(text.encode())

    out, complaints = shown(kmod, config)

    settings = Settings.read(config_paths=[str(config)], command_line=host_command_line())
    assert ours(settings) == out
    ours_about_it = [one.kmod_text for one in settings.complaints if one.source.line]
    assert ours_about_it == [
        line for line in without_place(complaints) if "kmod_config_parse" in line
    ]


def test_a_file_cut_anywhere_means_the_same_to_kmod(kmod: Path, tmp_path: Path) -> None:
    text = EVERY_KIND.replace("weakdep", "#")
    for size in range(0, len(text), 5):
        config = tmp_path / f"{size}.conf"
        config.write_text(text[:size].rstrip("\\"))

        out, _ = shown(kmod, config)

        settings = Settings.read(config_paths=[str(config)], command_line=host_command_line())
        assert ours(settings) == out, text[:size]


def test_directories_are_read_in_the_order_of_kmod(kmod: Path, tmp_path: Path) -> None:
    for number, name in enumerate(
        ("b.conf", "a.conf", ".h.conf", ".conf", "c", "é.conf", "Z.conf")
    ):
        (tmp_path / name).write_text(f"alias x{number} m\nblacklist \xff{number}\n", "latin-1")
    (tmp_path / "d.conf").mkdir()
    (tmp_path / "e.conf").symlink_to("nowhere")

    out, complaints = shown(kmod, tmp_path)

    settings = Settings.read(config_paths=[str(tmp_path)], command_line=host_command_line())
    assert ours(settings) == out
    assert [one.kmod_text for one in settings.complaints if one.source.path != "/proc/cmdline"] == [
        line for line in without_place(complaints) if "kcmdline" not in line
    ]


@pytest.fixture(scope="session")
def another_command_line() -> tuple[str, ...]:
    """Return a command prefix under which $0's file stands where /proc/cmdline is."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        missing("oracle", "only root can show kmod another /proc/cmdline")
    assert unshare is not None
    return (unshare, "-m", "sh", "-c", 'mount --bind "$0" /proc/cmdline && exec "$@"')


def test_kernel_command_lines_mean_the_same_to_kmod(
    kmod: Path, another_command_line: tuple[str, ...], tmp_path: Path
) -> None:
    written = tmp_path / "cmdline"
    for text, expected in CASES:
        written.write_text(text)

        out, _ = shown(kmod, tmp_path / "none", prefix=(*another_command_line, str(written)))

        assert out.decode().splitlines() == sorted(expected, key=lambda line: line[0]), text


def test_depmod_complains_about_the_same_lines(kmod: Path, tmp_path: Path) -> None:
    tree = tmp_path / "lib/modules/1.2"
    tree.mkdir(parents=True)
    config = tmp_path / "x.conf"
    config.write_text(DEPMOD_LINES + "override a\noverride a *\nexternal *\n  # c\nbad \\\n x\n")

    command = [str(kmod.parent / "depmod"), "-C", str(config), "-b", str(tmp_path), "-n", "1.2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    about_lines = [line for line in done.stderr.splitlines() if "bad line" in line]
    settings = DepmodSettings.read(config_paths=[str(config)])
    assert [one.kmod_text for one in settings.complaints] == about_lines

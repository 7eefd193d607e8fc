"""Read a kernel's configuration: from its image where it is built in, and from text files.

    in the image    "IKCFG_ST", the text gzipped, "IKCFG_ED" (with IKCONFIG=y)
    text            CONFIG_NAME=y | m | number | "text", or # CONFIG_NAME is not set

Source: kernel/configs.c; scripts/extract-ikconfig; scripts/kconfig/confdata.c.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from lkm import _text
from lkm.errors import FileError, FormatError
from lkm.module.file import decompress
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.image import KernelImage

_START = b"IKCFG_ST\x1f\x8b"
_END = b"IKCFG_ED"
_LARGEST = 16 << 20
_WHAT = "kernel configuration"
_PREFIX = "CONFIG_"
_NOT_SET = " is not set"
_ESCAPE = re.compile(r"\\(.)")

Config = Mapping[str, str]


def read_config(image: KernelImage) -> Config | CouldNotTell:
    """Return the configuration that is built into *image*, as ``parse_config``.

    Most distributions build none in, and then the image does not tell it.
    """
    start = image.data.find(_START)
    if start < 0:
        return CouldNotTell("no configuration is built into the image (CONFIG_IKCONFIG)")
    try:
        text = _unzipped(image.data, start + len(_START) - 2)
    except FormatError as error:
        return CouldNotTell(str(error))
    return parse_config(_text.decode(text))


def read_config_file(path: str) -> Config:
    """Return the configuration in a text file, which may be compressed, as ``parse_config``.

    Raises ``FileError``, and ``FormatError`` for a file without a single option.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    try:
        config = parse_config(_text.decode(decompress(data)[1]))
    except FormatError as error:
        raise error.at(path) from None
    if not config:
        raise FormatError(_WHAT, "no option in it", path=path)
    return config


def parse_config(text: str) -> Config:
    """Return the value of every option that *text* names, by its name with ``CONFIG_``.

    ``n`` for one that is not set; texts without their quotes; everything else as written. An
    option that is not named at all cannot be set in that kernel. Other lines are passed over.
    """
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith(_PREFIX):
            name, equals, value = line.rstrip("\r").partition("=")
            if equals:
                found[name] = _unquoted(value)
        elif line.startswith("# " + _PREFIX) and line.rstrip("\r").endswith(_NOT_SET):
            found[line.rstrip("\r")[2 : -len(_NOT_SET)]] = "n"
    return MappingProxyType(found)


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(r"\1", value[1:-1])


def _unzipped(data: bytes, start: int) -> bytes:
    decompressor = zlib.decompressobj(31)
    try:
        # A slice, and not all the rest of the image: the text is some 250 KB, a tenth of it packed.
        text = decompressor.decompress(data[start : start + _LARGEST], _LARGEST + 1)
    except zlib.error as error:
        raise FormatError(_WHAT, f"damaged: {error}", offset=start) from None
    if len(text) > _LARGEST:
        raise FormatError(_WHAT, f"grows past {_LARGEST} bytes", offset=start)
    if not decompressor.eof or not decompressor.unused_data.startswith(_END):
        raise FormatError(_WHAT, "cut off", offset=start)
    return text

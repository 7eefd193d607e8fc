"""Rows of command lines that kmod and lkm are to leave the same modules behind with.

They are done by each of the two in one guest, from the same empty state. In a line ``TREE`` stands
for the folder of the module files, ``FILES`` for that of files that do not load as they are and of
packed ones, and ``CONF`` for a file of modprobe.d with what the sequence says is in it. A line that
begins with ``write`` is done by whoever runs the sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sequence:
    """Command lines, done one after the other, and the configuration for them.

    *differs* names a line, by its number from 0, whose answer is not the same, and the declared
    difference (``tests/oracle/differences.toml``) that is why; what is loaded is the same.
    """

    name: str
    lines: tuple[str, ...]
    conf: str = ""
    differs: Mapping[int, str] = field(default_factory=dict)


SEQUENCES = (
    Sequence(
        "one module, there and back",
        (
            "insmod TREE/tm_ok.ko",
            "insmod TREE/tm_ok.ko",
            "lsmod",
            "rmmod tm_ok",
            "rmmod tm_ok",
            "lsmod",
        ),
    ),
    Sequence(
        "a chain by modprobe",
        (
            "modprobe tm_level4",
            "lsmod",
            "modprobe tm_level4",
            "modprobe -r tm_level4",
            "modprobe -r tm_level2",
            "modprobe -r tm_level1",
        ),
    ),
    Sequence(
        "what is done is said",
        ("modprobe -v tm_level3", "modprobe -rv tm_level3", "modprobe -v -r tm_level1"),
    ),
    Sequence(
        "files in the wrong order",
        (
            "insmod TREE/tm_level2.ko",
            "insmod TREE/tm_level1.ko",
            "insmod TREE/tm_level2.ko",
            "rmmod tm_level1",
            "rmmod tm_level1 tm_level2",
            "rmmod -v tm_level2 tm_level1",
        ),
    ),
    Sequence(
        "many words",
        (
            "modprobe -a tm_ok tm_dep2 tm_nosuch tm_params",
            "modprobe -a tm_ok tm_missing tm_usegpl",
            "lsmod",
            "modprobe -r -a tm_ok tm_nosuch tm_exp tm_dep2",
            "modprobe -ra tm_usegpl tm_params",
        ),
    ),
    Sequence(
        "only what is new",
        (
            "modprobe --first-time tm_dep",
            "modprobe --first-time tm_dep",
            "modprobe --first-time tm_usegpl",
            "modprobe -r --first-time tm_dep",
            "modprobe -r --first-time tm_dep",
            "modprobe -r tm_dep",
        ),
    ),
    Sequence(
        "parameters",
        (
            "modprobe -v tm_params i=5 'arr=1,2,3'",
            "modprobe -r tm_params",
            "modprobe -v tm_params 's=two words' b",
            "modprobe -r tm_params",
            "modprobe tm_params i=many",
            "insmod TREE/tm_params.ko i=0x10 nosuch=1",
            "rmmod tm_params",
            "insmod TREE/tm_params.ko arr=1,2,3,4,5",
        ),
    ),
    Sequence(
        "options of the configuration",
        (
            "modprobe -C CONF -v tm_params u=3",
            "modprobe -C CONF -r tm_params",
            "modprobe -C CONF -v other",
            "modprobe -C CONF -rv other",
        ),
        conf="alias other tm_params\noptions tm_params i=7 \\\n u=9\noptions other i=8\n",
    ),
    Sequence(
        "aliases, and the soft dependencies that a module names",
        (
            "modprobe -v tm-alias-4",
            "modprobe -r tm-alias-4",
            "modprobe -v pci:v0000FACEd0000BEEFsv00000001sd00000001bc00sc00i00",
            "modprobe -rv tm_meta",
            "modprobe -C CONF -v tm-any",
            "modprobe -C CONF -rv tm-any",
        ),
        conf="alias tm-any tm_exp\nalias tm-any tm_dep\nalias tm-a* tm_ok\n",
    ),
    Sequence(
        "soft dependencies of the configuration",
        (
            "modprobe -C CONF -v tm_level2",
            "lsmod",
            "modprobe -C CONF -rv tm_level2",
            "modprobe -C CONF -rv tm_level1",
        ),
        conf="softdep tm_level1 pre: tm_ok tm_exp post: tm_params\nsoftdep tm_params pre: tm_dep\n",
    ),
    Sequence(
        "soft dependencies that fail",
        (
            "modprobe -C CONF -v tm_level2",
            "lsmod",
            "modprobe -C CONF -r tm_level2",
            "modprobe -C CONF tm_ok",
            "modprobe -C CONF -r tm_ok",
        ),
        conf=(
            "softdep tm_level1 pre: tm_missing tm_nosuch tm_initfail\n"
            "softdep tm_ok post: tm_wrong\n"
        ),
    ),
    Sequence(
        "commands instead of modules",
        (
            "modprobe -C CONF tm_dep",
            "lsmod",
            "modprobe -C CONF -r tm_dep",
            "modprobe -C CONF -i tm_exp",
            "modprobe -C CONF -r -i tm_exp",
        ),
        conf=(
            "install tm_exp modprobe -i tm_ok && modprobe -i tm_exp $CMDLINE_OPTS\n"
            "remove tm_exp modprobe -r -i tm_exp && modprobe -r tm_ok\n"
        ),
    ),
    Sequence(
        "a command that fails",
        (
            "modprobe -C CONF tm_dep2",
            "modprobe -C CONF -a tm_ok tm_dep tm_params",
            "modprobe -C CONF -r tm_params",
            "modprobe -C CONF -r tm_ok",
            "modprobe -C CONF --ignore-remove -r tm_ok",
        ),
        conf="install tm_exp exit 3\nremove tm_ok /bin/false\n",
    ),
    Sequence(
        "what is blacklisted",
        (
            "modprobe -C CONF -v tm-alias-4",
            "modprobe -C CONF -b -v tm_exp",
            "modprobe -C CONF -b -v tm_dep",
            "modprobe -C CONF -v tm_meta",
            "modprobe -C CONF -ra tm_meta tm_dep tm_ok tm_exp",
        ),
        conf="blacklist tm_meta\nblacklist tm_exp\n",
    ),
    Sequence(
        "holders",
        (
            "modprobe tm_dep",
            "modprobe -r tm_exp",
            "modprobe -rv --remove-holders tm_exp",
            "modprobe -a tm_dep tm_usegpl",
            "modprobe -r --remove-holders tm_exp",
            "modprobe -ra tm_dep tm_usegpl",
        ),
        differs={2: "holders-of-holders", 4: "holders-of-holders"},
    ),
    Sequence(
        "a reference that no module stands for",
        (
            "modprobe tm_hold",
            "write /sys/module/tm_hold/parameters/hold 1",
            "lsmod",
            "modprobe -r tm_hold",
            "rmmod tm_hold",
            "modprobe -a -r tm_hold tm_ok",
            "write /sys/module/tm_hold/parameters/hold 0",
            "modprobe -rv tm_hold",
        ),
    ),
    Sequence(
        "an init that fails",
        (
            "modprobe tm_initfail",
            "modprobe tm_initfail err=5",
            "insmod TREE/tm_initfail.ko err=16",
            "modprobe -a tm_ok tm_initfail tm_dep",
            "lsmod",
            "modprobe -C CONF tm_useslow",
            "modprobe -r tm_dep",
        ),
        conf="options tm_slow ms_in=0 ms_out=0 ret=-5\n",
    ),
    Sequence(
        "a load that fails in the middle",
        (
            "modprobe -C CONF -v tm_level4",
            "lsmod",
            "modprobe -rv tm_level2",
            "modprobe -v tm_level4",
            "modprobe -r tm_level4",
        ),
        conf="install tm_level3 /bin/false\n",
    ),
    Sequence(
        "names that are none",
        (
            "modprobe tm_nosuch",
            "modprobe -q tm_nosuch",
            "modprobe -r tm_nosuch",
            "modprobe -r tm_ok",
            "rmmod tm_nosuch tm_ok",
            "insmod TREE/tm_nosuch.ko",
            "insmod FILES/nothing.ko",
            "insmod FILES/cut.ko",
            "modprobe unix",
            "modprobe --first-time unix",
            "modprobe -r unix",
            "modprobe",
            "rmmod",
        ),
    ),
    Sequence(
        "the kernel's own modules",
        (
            "modprobe -v vfat",
            "lsmod",
            "modprobe -r fat",
            "modprobe -rv vfat",
            "modprobe -v fs-vfat",
            "modprobe -r fs-vfat",
        ),
    ),
    Sequence(
        "packed files",
        (
            "modprobe -v tm_dep2",
            "lsmod",
            "modprobe -r tm_dep2",
            "insmod FILES/ok.ko.xz",
            "rmmod tm_ok",
            "insmod FILES/ok.ko.zst",
            "rmmod tm_ok",
            "insmod FILES/cut.ko.xz",
        ),
    ),
    Sequence(
        "for another kernel, and forced",
        (
            "modprobe tm_wrong",
            "modprobe --force-modversion tm_wrong",
            "modprobe --force-vermagic tm_wrong",
            "lsmod",
            "rmmod tm_wrong",
            "modprobe -f tm_wrong",
            "rmmod tm_wrong",
            "insmod FILES/vermagic.ko",
            "insmod -f FILES/vermagic.ko",
            "rmmod tm_ok",
        ),
    ),
    Sequence(
        "symbols of other versions, and forced",
        (
            "insmod TREE/tm_exp.ko",
            "insmod FILES/crc.ko",
            "insmod -f FILES/crc.ko",
            "lsmod",
            "rmmod tm_dep",
            "rmmod tm_exp",
        ),
    ),
    Sequence(
        "what has no exit",
        (
            "modprobe tm_noexit",
            "modprobe -r tm_noexit",
            "rmmod tm_noexit",
            "lsmod",
            "rmmod -f tm_noexit",
            "modprobe tm_noexit",
            "modprobe -r -f tm_noexit",
        ),
    ),
    Sequence(
        "only shown",
        (
            "modprobe -n tm_level4",
            "modprobe -D tm_level4",
            "modprobe tm_level2",
            "modprobe -n tm_level4",
            "modprobe -D tm_level4",
            "modprobe -r -n tm_level2",
            "modprobe -R tm-alias-1",
            "modprobe -r tm_level2",
        ),
    ),
    Sequence(
        "dashes",
        (
            "modprobe -v tm-dash",
            "modprobe --first-time tm_dash",
            "rmmod tm-dash",
            "insmod TREE/tm-dash.ko",
            "modprobe -r tm_dash",
        ),
    ),
)

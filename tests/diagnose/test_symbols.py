"""Which file an installed kernel's symbols are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.diagnose.symbols import NoSymbolsError, image_table, installed_table
from lkm.errors import FormatError, UsageError
from lkm.teaching import RELEASE as TAUGHT
from lkm.teaching import teaching_root
from tests.kernel.images import SYMBOLS, saved_facts
from tests.kernel.trees import RELEASE
from tests.vmlinux.test_system_map import MAP, STUB


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """Return the boot folder of an empty root."""
    folder = tmp_path / "boot"
    folder.mkdir()
    return folder


def table_of(boot: Path) -> tuple[bytes, str]:
    used = installed_table(str(boot.parent), RELEASE, "")
    assert used.table.release == RELEASE
    return used.table.as_text(), used.source


def test_without_an_image_saved_facts_are_read_and_else_the_system_map(boot: Path) -> None:
    system_map, facts = boot / f"System.map-{RELEASE}", boot / f"facts-{RELEASE}"
    system_map.write_bytes(MAP)
    assert table_of(boot) == (MAP, str(system_map))

    facts.write_bytes(saved_facts())
    assert table_of(boot) == (SYMBOLS.as_text(), str(facts))


def test_debians_stub_is_said_to_be_one(boot: Path) -> None:
    (boot / f"System.map-{RELEASE}").write_bytes(STUB)
    with pytest.raises(NoSymbolsError, match="could not tell: it is Debian's stub"):
        table_of(boot)


def test_a_release_with_nothing_at_all_is_told_what_was_looked_for(boot: Path) -> None:
    with pytest.raises(UsageError, match="no facts saved of it and no System") as caught:
        table_of(boot)
    assert "--vmlinux" in caught.value.remedy


def test_a_cut_system_map_is_an_error_that_names_it(boot: Path) -> None:
    path = boot / "System.map-1"
    path.write_bytes(MAP[:-1])
    with pytest.raises(FormatError, match=f"{path}: System.map: line 3"):
        image_table(str(path))


def test_the_teaching_kernel_has_a_table() -> None:
    used = installed_table(teaching_root(), TAUGHT, "")
    assert "_printk" in used.table.names

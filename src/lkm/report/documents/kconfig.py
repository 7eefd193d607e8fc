"""A kernel's options for loadable modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.diagnose.kconfig import module_options
from lkm.vmlinux.answers import CouldNotTell

if TYPE_CHECKING:
    from lkm.diagnose.kconfig import FoundConfig
    from lkm.report.documents.writing import Document


def kconfig_document(release: str, found: FoundConfig | CouldNotTell) -> Document:
    """Return each option with value and meaning, or why they cannot be told.

    ``value`` is null for an option that the configuration does not name.
    """
    if isinstance(found, CouldNotTell):
        return {
            "schema": "lkm.kconfig/1",
            "release": release,
            "source": None,
            "could_not_tell": found.why,
            "options": [],
        }
    return {
        "schema": "lkm.kconfig/1",
        "release": release,
        "source": found.source,
        "could_not_tell": None,
        "options": [
            {"name": option.name, "value": option.value, "meaning": option.meaning}
            for option in module_options(found.config)
        ],
    }

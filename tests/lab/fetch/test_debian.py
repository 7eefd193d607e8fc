"""Which of Debian's packages is meant, asked of the real apt."""

from __future__ import annotations

import pytest

from lkm.errors import FetchError, NoSuchKernelError
from lkm.lab.fetch.apt import Apt, installed_apt
from lkm.lab.fetch.debian import choose, release_of
from lkm.lab.fetch.sources import parse_source
from tests.conftest import missing
from tests.debian import NotHere, a_kernel


@pytest.fixture
def apt() -> Apt:
    """Return the machine's apt, whose lists know a kernel for amd64."""
    try:
        found = installed_apt("amd64")
    except FetchError as error:
        missing("debian", str(error))
        raise
    if found is None:
        missing("debian", "apt's lists know no kernel for amd64")
        raise AssertionError
    return found


@pytest.mark.debian
def test_the_newest_of_a_series_is_what_debian_installs(apt: Apt) -> None:
    try:
        installed = a_kernel("linux-image-cloud-amd64").name
    except NotHere as error:
        missing("debian", str(error))
        raise
    major, minor, _ = release_of(installed).split(".", 2)

    chosen = choose(apt, parse_source(f"debian:{major}.{minor}-cloud", "amd64"))

    assert chosen.image.name == installed
    assert chosen.image.installed_size > chosen.image.size > 10 << 20
    assert choose(apt, parse_source("debian:linux-image-cloud-amd64", "amd64")) == chosen


@pytest.mark.debian
def test_a_series_that_never_was_is_told_those_that_are(apt: Apt) -> None:
    with pytest.raises(NoSuchKernelError) as caught:
        choose(apt, parse_source("debian:1.0", "amd64"))
    assert caught.value.there

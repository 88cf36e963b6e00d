"""The changelog begins with this version, and the pages and images are of it."""

import re
import tomllib
from itertools import pairwise

from tests.architecture.source import ROOT
from tests.docs.pages import read_page

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_the_newest_version_is_this_one() -> None:
    """With a date, and with what is not released yet above it."""
    versions = re.findall(
        r"^## \[([^\]]+)\]( - \d{4}-\d\d-\d\d)?$", read_page("CHANGELOG.md"), re.M
    )
    released = [version for version, date in versions if date]
    assert released[0] == VERSION
    assert [version for version, date in versions if not date] in ([], ["Unreleased"])


def test_each_version_is_on_the_page_of_upgrades() -> None:
    """Whoever comes from the version before finds what to do."""
    released = re.findall(r"^## \[(\d[^\]]+)\]", read_page("CHANGELOG.md"), re.MULTILINE)
    page = read_page("docs/upgrade.md")
    for newer, older in pairwise(released):
        assert f"## From {older} to {newer}" in page


def test_images_on_pages_are_of_this_version() -> None:
    """What a reader copies builds and loads the image that the manifests name."""
    tags = re.findall(
        r"goldpan:(\d+\.\d+\.\d+)", read_page("docs/deploy.md") + read_page("compose.yaml")
    )
    assert tags
    assert set(tags) == {VERSION}

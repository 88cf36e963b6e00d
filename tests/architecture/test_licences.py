"""Dependencies are permissive, and the check that says so can tell."""

import pytest

from tests.architecture.licences import faults, is_permissive


def test_everything_installed_is_permissive() -> None:
    """Whoever ships goldpan ships nothing whose licence reaches over to their own code."""
    assert faults() == []


@pytest.mark.parametrize(
    "licence",
    [
        *("", "GPL-3.0-only", "AGPL-3.0", "LGPL-2.1-or-later", "UNKNOWN", "Proprietary"),
        *("MIT AND GPL-2.0-only", "GNU General Public License v3 (GPLv3)", "BSD License AND LGPL"),
    ],
)
def test_other_licences_are_found(licence: str) -> None:
    """A copyleft licence is found, also beside a permissive one, and so is none at all."""
    assert not is_permissive(licence)

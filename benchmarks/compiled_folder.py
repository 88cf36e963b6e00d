"""The compiled build of redaction that a benchmark compares with this source."""

from pathlib import Path
from typing import Final

import click

from tests.servers.compiled_build import prepare_compiled

_HERE: Final = Path(__file__).parents[1]


def find_compiled(given: Path | None) -> Path:
    """Return the given build of this source, or one that is made and kept.

    Raises:
        click.UsageError: the given one was built from another source.
    """
    if given is None:
        return prepare_compiled(as_shipped=True)
    for file in sorted((_HERE / "redact").rglob("*.py")):
        name = file.relative_to(_HERE)
        other = given / name
        if not other.exists() or other.read_bytes() != file.read_bytes():
            raise click.UsageError(f"{given} was built from another source: {name} differs")
    return given.resolve()

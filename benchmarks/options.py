"""Types of the options of benchmarks: wrong values are refused before anything is measured."""

from pathlib import Path
from typing import Any, Final

import click

COUNT: Final = click.IntRange(min=1)


class _Checkout(click.Path):
    """A folder with another version of goldpan.

    Modules that a folder lacks come from this version, which would then be compared with itself.
    """

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, resolve_path=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder as an absolute path."""
        folder = super().convert(value, param, ctx)
        if not Path(str(folder), "goldpan", "__init__.py").is_file():
            self.fail(f"Directory '{value}' has no version of goldpan.", param, ctx)
        return folder


CHECKOUT: Final = _Checkout()

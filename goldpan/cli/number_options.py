"""Numbers as options: written in plain decimal, and such that a comparison with them can hold."""

import math
import re
from typing import Any, Final

import click

_PLAIN: Final = re.compile(r"\s*[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")


class IntegerParam(click.IntRange):
    """A whole number within limits; not `1_000`, and no digits of other scripts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; a usage error for anything else."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value.strip()):
            self.fail(f"{value!r} is not a whole number.", param, ctx)
        return super().convert(value, param, ctx)


class NumberParam(click.FloatRange):
    """A finite number within limits: no comparison with NaN holds, so it would be no limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; a usage error for anything else."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found) or (isinstance(value, str) and not _PLAIN.fullmatch(value)):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found

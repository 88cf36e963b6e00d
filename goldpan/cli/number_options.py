"""Option types for numbers, which must be finite and in plain decimal notation."""

import math
import re
from typing import Any, Final

import click

_PLAIN: Final = re.compile(r"\s*[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")


class IntegerParam(click.IntRange):
    """An integer within limits; neither `1_000` nor digits of other scripts are accepted."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail for anything else."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value.strip()):
            self.fail(f"{value!r} is not a whole number.", param, ctx)
        return super().convert(value, param, ctx)


class NumberParam(click.FloatRange):
    """A finite number within limits: every comparison with NaN is false, so it limits nothing."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail for anything else."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number) or (isinstance(value, str) and not _PLAIN.fullmatch(value)):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number

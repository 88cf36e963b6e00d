"""Divides the cases of a long test: a few always run, the others only in `make chaos`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def short(cases: Iterable[Any], always: Collection[Any]) -> list[Any]:
    """Return parameters; those not in ``always`` are marked as chaos."""
    return [
        case if case in always else pytest.param(*_as_values(case), marks=pytest.mark.chaos)
        for case in cases
    ]


def _as_values(case: Any) -> tuple[Any, ...]:
    return case if type(case) is tuple else (case,)

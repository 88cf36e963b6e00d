"""Divides the cases of a long test: a few always run, the others only in `make chaos`."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest
from hypothesis import given, settings


def short(cases: Iterable[Any], always: Collection[Any]) -> list[Any]:
    """Return parameters; those not in ``always`` are marked as chaos."""
    return [
        case if case in always else pytest.param(*_as_values(case), marks=pytest.mark.chaos)
        for case in cases
    ]


def _as_values(case: Any) -> tuple[Any, ...]:
    return case if type(case) is tuple else (case,)


def drawn(few: int, many: int, *strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """Let hypothesis draw ``few`` examples for a test, and ``many`` in `make chaos`."""

    def decorate(body: Callable[..., None]) -> Any:
        @pytest.mark.parametrize("examples", short([few, many], [few]))
        def test(examples: int) -> None:
            run_examples(examples, body, *strategies)

        test.__doc__ = body.__doc__
        return test

    return decorate


def run_examples(examples: int, body: Callable[..., None], *strategies: Any) -> None:
    """Let hypothesis draw examples of what ``body`` is called with."""
    run: Any = given(*strategies)
    settings(max_examples=examples)(run(body))()

"""Long loops of compiled code give other threads their turn."""

from unittest.mock import patch

import pytest

from redact.lexical import turns
from redact.pairs import read_pairs
from tests.redact.kit import needs_pure_python


@pytest.mark.parametrize(("steps", "given"), [(0, 0), (1_023, 0), (1_024, 1), (5_000, 4)])
def test_other_threads_have_a_turn_after_some_steps(steps: int, given: int) -> None:
    """All steps are there, in order."""
    needs_pure_python()
    with patch("time.sleep") as slept:
        assert list(turns.with_turns(iter(range(steps)))) == list(range(steps))
    assert slept.call_count == given


def test_a_text_of_signs_has_turns() -> None:
    """It is the loop over the signs of keys that takes longest."""
    needs_pure_python()
    with patch("time.sleep") as slept:
        read_pairs("a=1 b: 2\n" * 3_000)
    assert slept.call_count > 3

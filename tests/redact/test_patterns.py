"""Patterns are compiled on first use: all of them compile, and have a score."""

import pytest

from redact.policies.policy import load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector, PhoneSearch
from redact.recognition.catalogue import build_recognisers


@pytest.mark.chaos
def test_each_pattern_of_the_widest_policy_compiles_and_none_runs_on_every_text() -> None:
    """A mistake in an expression shows here, not when a text first needs it."""
    detector = AcceleratedDetector(build_recognisers(load_policy("hipaa")))
    searches = [search for search in detector.searches if not isinstance(search, PhoneSearch)]
    assert len(searches) > 300
    for search in searches:
        assert search.pattern.flags >= 0
        assert 0 < search.score <= 1
    assert not detector.prefilter.always

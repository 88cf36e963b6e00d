"""Patterns are compiled when they are first needed: all of them can be, and hold a score."""

from redact.policies.policy import load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers


def test_each_pattern_of_the_widest_policy_compiles_and_none_runs_on_every_text() -> None:
    """A mistake in an expression shows here, not when a text first needs it."""
    detector = AcceleratedDetector(build_recognisers(load_policy("hipaa")))
    searches = [owner for owner in detector.searches if hasattr(owner, "pattern")]
    assert len(searches) > 300
    for search in searches:
        assert search.pattern.flags >= 0
        assert 0 < search.score <= 1
    assert detector.unfiltered == 0

"""Caches stay bounded, however long a worker runs and whatever repeats."""

from redact.analysis.segment_cache import SegmentCache
from tests.redact.kit import NOW, decoded, minimal
from tests.redact.test_leaks import engine


def kept(cache: SegmentCache[str]) -> int:
    """Return the weight of all that a cache holds."""
    return sum(weight for _, weight in (cache.old | cache.young).values())


def test_a_cache_keeps_to_its_capacity_even_if_everything_repeats() -> None:
    """A repeated entry moves on with its weight; a growing entry grows in weight."""
    cache: SegmentCache[str] = SegmentCache(10_000)
    for number in range(5_000):
        cache.store(b"%d" % number, "", 40)
        for back in range(0, min(number, 200), 7):
            cache.get(b"%d" % (number - back))
        cache.store(b"%d" % number, "", 10)
        assert kept(cache) <= 10_000 + 200
    assert cache.get(b"4999") is not None
    assert cache.get(b"1") is None


def test_a_prompt_that_all_share_does_not_grow_with_its_readers() -> None:
    """Each record brings names of its own; the system prompt forgets most of them."""
    prompt = {"role": "system", "content": "You are an agent of a harbour, be brief."}
    redactor = engine()
    for number in range(6):
        ids = [f"zora_{chr(97 + i % 26)}{chr(97 + i // 26)}uill_{number}{i}" for i in range(200)]
        records = [minimal(user_id=one, messages=[prompt]) for one in ids]
        assert redactor.redact(decoded(records), ingested_at=NOW).rejected == []
    known = [
        segment
        for segment, _ in redactor.segmenter.cache.young.values()
        if any(prompt["content"] == output.text for output in segment.outputs.values())
    ]
    assert len(known) == 1
    assert len(known[0].outputs) <= 66
    assert len(known[0].occurrences) <= 300

"""Caches stay bounded, however long a worker runs and whatever repeats."""

from redact.analysis.segment_cache import SegmentCache
from redact.analysis.segment_parts import SegmentAnalysis
from tests.redact.kit import NOW, decoded, minimal
from tests.redact.test_leaks import engine


def kept(cache: SegmentCache[str]) -> int:
    """Return the weight of all that a cache holds."""
    return sum(weight for _, weight in cache.entries.values())


def test_a_cache_keeps_to_its_capacity_even_if_everything_repeats() -> None:
    """A repeated entry moves on with its weight; a growing entry grows in weight."""
    cache: SegmentCache[str] = SegmentCache(10_000)
    for number in range(5_000):
        cache.store(b"%d" % number, "", 40)
        for back in range(0, min(number, 200), 7):
            cache.get(b"%d" % (number - back))
        cache.store(b"%d" % number, "", 10)
        assert kept(cache) == cache.weight <= 10_000
    assert cache.get(b"4999") is not None
    assert cache.get(b"1") is None
    assert cache.weight > 9_900


def test_a_cache_keeps_what_is_asked_for() -> None:
    """However much is read between, if it fits in: a full cache does not forget half of it."""
    cache: SegmentCache[str] = SegmentCache(10_000)
    cache.store(b"prompt", "", 50)
    for number in range(2_000):
        cache.store(b"%d" % number, "", 50)
        if number % 190 == 0:
            assert cache.get(b"prompt") is not None
    assert all(cache.get(b"%d" % number) is not None for number in range(1_810, 2_000))


def test_segments_without_the_names_of_their_record_share_what_is_known_of_them() -> None:
    """Each of its own would take as much memory as the text."""
    said = [{"role": "user", "content": f"The tide is number {word}."} for word in "abcdefgh"]
    redactor = engine()
    record = minimal(user_id="zora_quill_7", messages=said)
    assert redactor.redact(decoded([record]), ingested_at=NOW).rejected == []
    segments = [segment for segment, _ in redactor.segmenter.cache.entries.values()]
    told = [segment for segment in segments if segment.occurrences]
    assert len(told) >= len(said)
    assert len({id(segment.occurrences) for segment in told}) == 1
    analyses = [one.analysis for one in told if isinstance(one.analysis, SegmentAnalysis)]
    assert len({id(analysis.learnt) for analysis in analyses if not analysis.learnt}) == 1


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
        for segment, _ in redactor.segmenter.cache.entries.values()
        if any(prompt["content"] == output.text for output in segment.outputs.values())
    ]
    assert len(known) == 1
    assert len(known[0].outputs) <= 66
    assert len(known[0].occurrences) <= 300

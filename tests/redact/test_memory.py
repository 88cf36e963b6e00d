"""Caches stay bounded, however long a worker runs and whatever repeats."""

import gc
from collections.abc import Sequence

import numpy as np

from redact.analysis.segment_cache import SegmentCache
from redact.analysis.segment_parts import SegmentAnalysis
from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.field_keys.key_book import KeyBook
from redact.identities.identity import IdentityValue
from redact.identities.taught_values import TaughtValues, mark_identities
from redact.ner.exact import Wholes
from redact.ner.words import TextWord, WordRows
from redact.policies.policy import KeyRules
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


def kept_characters(holder: object) -> int:
    """Return how many characters the dictionaries that an object holds keep alive."""
    seen = {id(holder)}
    pending = [holder]
    characters = 0
    while pending:
        for each in gc.get_referents(pending.pop()):
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, str):
                characters += len(each)
            elif isinstance(each, dict | tuple):
                pending.append(each)
    return characters


def test_tokens_are_kept_of_short_values_only() -> None:
    """The bytes of a file are a value too: ten thousand of them would fill the memory."""
    made = Pseudonyms(Keys.derive(bytes(32)))
    long = "x" * 100_000
    assert made.token("FILE", long) == made.token("FILE", long)
    assert kept_characters(made) < 1_000
    for number in range(5_000):
        made.token("PERSON", f"Zora Quill {number}")
    assert 5_000 < kept_characters(made) < 500_000


def test_meanings_are_kept_of_short_keys_only() -> None:
    """Whoever writes JSON chooses its keys, and each may be as long as a record."""
    book = KeyBook(KeyRules())
    long = f"user_email_{'x' * 100_000}"
    assert book.key(long).name == book.key(long).name
    assert book.key("user_email").rule == "EMAIL_ADDRESS"
    assert long not in book.keys_read
    assert "user_email" in book.keys_read


def test_marks_are_kept_of_short_words_only() -> None:
    """A long word that has the mark of a taught value is found nevertheless, each time."""
    made = Pseudonyms(Keys.derive(bytes(32)))
    taught = TaughtValues(made.word_mark)
    value = IdentityValue("ACCOUNT", "q7" * 5_000)
    marks = mark_identities([value], made.word_mark)
    assert marks is not None
    for _ in range(2):
        assert taught.find([marks], [f"It is {value.value} here."]) == {value}
    assert kept_characters(taught) < 1_000


def test_a_full_cache_of_words_keeps_its_place_in_memory() -> None:
    """A table that is replaced when it is full leaves a hole that nothing else fits in."""

    def vectors(words: Sequence[TextWord]) -> Wholes:
        return np.array([[len(word.text)] for word in words], np.int16)

    rows = WordRows(vectors, 1, capacity=50)
    table, cleared = rows.table, rows.cleared
    for number in range(100):
        text = f"tide {'x' * number} of harbour{'s' * number}"
        numbers = rows.numbers([text])[0]
        assert rows.table[numbers].ravel().tolist() == [len(word) for word in text.split()]
    assert rows.cleared > cleared
    assert rows.table is table
    wide = [" ".join("y" * (1 + number) for number in range(200))]
    numbers = rows.numbers(wide)[0]
    assert rows.table[numbers].ravel().tolist() == list(range(1, 201))

"""Records of erased persons, traces and feedback are recognised under any known key."""

from typing import Any

import pytest

from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.crypto.keys import Keys
from redact.crypto.subjects import DataSubject, marks_of_feedback, marks_of_traces
from schemas.errors import FatalError
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from tests.redact.kit import KEYS, NOW, decoded, minimal, redacted, rows

OLD = Keys.derive(b"o" * 32, "k0")
SAME_ID = Keys.derive(b"s" * 32, "k1")
SECOND = 1_000_000


class Stone:
    """A tombstone."""

    def __init__(self, number: int, until_us: int, keys: tuple[Keys, ...], **who: Any) -> None:
        self.number, self.until_us = number, until_us
        users = [DataSubject(user, keys).marks() for user in who.get("users", ())]
        self.subjects = {k.name: [m for marks in users for m in marks[k.name]] for k in keys}
        self.traces = marks_of_traces(keys, who.get("traces", ()))
        self.feedback = marks_of_feedback(keys, who.get("feedback", ()))


def feedback(**fields: Any) -> dict[str, Any]:
    """Return the smallest feedback, with ``fields``."""
    told = {"feedback_id": "f", "trace_id": "t", "kind": "thumbs", "actor": "end_user"}
    return {**told, "occurred_at": NOW, **fields}


def left(erased: ErasureFilter, batch: DecodedBatch[Any]) -> list[int]:
    """Return the offsets of the records that pass."""
    kept, gone = erased.without(batch)
    assert len(kept) == len(kept.records) == len(kept.raws) == len(kept.partitions)
    assert gone.total() == len(batch) - len(kept)
    return list(kept.offsets)


def test_records_of_the_person_are_kept_out() -> None:
    """Traces and feedback of the person are dropped, however the id is spelt; others stay."""
    erased = ErasureFilter([Stone(1, NOW + SECOND, (KEYS,), users=["ann_7"])], [KEYS])
    users = ["ann_7", "ANN_7 ", "ann_8", None]

    assert left(erased, decoded([minimal(user_id=u) for u in users])) == [2, 3]
    batch = decoded([feedback(user_id=u) for u in users], RecordKind.FEEDBACK)
    assert left(erased, batch) == [2, 3]


def test_what_came_after_the_erasure_is_new() -> None:
    """A record passes only if both of its times are at or after the erasure."""
    erased = ErasureFilter([Stone(1, NOW, (KEYS,), users=["ann_7"])], [KEYS])
    batch = decoded([minimal(user_id="ann_7", started_at=NOW + d) for d in (-1, 0, 0, 0)])
    stamps = [-1, -1, NOW // 1000 - 1, NOW // 1000]
    batch.raws = [RawRecord(0, n, stamp, None, b"") for n, stamp in enumerate(stamps)]

    assert left(erased, batch) == [1, 3]


def test_the_latest_erasure_of_a_person_counts() -> None:
    """A person who was erased twice is kept out up to the second time, in whatever order."""
    stones = [Stone(n, NOW + d, (KEYS,), users=["ann_7"]) for n, d in ((1, 9), (2, 5))]
    batch = decoded([minimal(user_id="ann_7", started_at=NOW + d) for d in (5, 8, 9)])

    assert left(ErasureFilter(stones, [KEYS]), batch) == [2]


def test_traces_and_feedback_are_kept_out_for_good() -> None:
    """An erased trace id goes with all feedback on it, at any time; so does erased feedback."""
    erased = ErasureFilter([Stone(1, 0, (KEYS,), traces=["t1"], feedback=["f1"])], [KEYS])
    said = [feedback(trace_id=t, feedback_id=f) for t, f in (("t1", "f"), ("t", "f1"), ("t", "f"))]

    assert left(erased, decoded([minimal(trace_id=t) for t in ("t1", "t2", "f1")])) == [1, 2]
    assert left(erased, decoded(said, RecordKind.FEEDBACK)) == [2]


def test_pseudonyms_of_the_person_are_kept_out() -> None:
    """A record with the pseudonym already, such as a stored one, is recognised as well."""
    (row,) = rows(redacted([minimal(user_id="ann_7")]))
    erased = ErasureFilter([Stone(1, NOW + SECOND, (KEYS,), users=["ann_7"])], [KEYS])

    assert left(erased, decoded([minimal(user_id=row["user_id"])])) == []


def test_former_keys_are_enough() -> None:
    """One of a tombstone's keys must be known, no matter which."""
    batch = decoded([minimal(user_id="ann_7"), minimal(trace_id="t9"), minimal()])
    old, both = (
        Stone(1, NOW + SECOND, keys, users=["ann_7"], traces=["t9"])
        for keys in ((OLD,), (OLD, KEYS))
    )

    assert left(ErasureFilter([old], [KEYS, OLD]), batch) == [2]
    assert left(ErasureFilter([both], [KEYS]), batch) == [2]
    assert left(ErasureFilter([both], [OLD]), batch) == [2]
    assert left(ErasureFilter([old, both], [KEYS, OLD]), batch) == [2]


@pytest.mark.parametrize("keys", [(), (OLD,), (SAME_ID,)])
def test_unknown_key_is_an_error(keys: tuple[Keys, ...]) -> None:
    """Without the key, or with another secret under its id, it says what to set."""
    stone = Stone(3, NOW, (KEYS,), users=["ann_7"])

    with pytest.raises(FatalError, match=r"tombstone 3 .* key k1\..*GOLDPAN_REDACT__FORMER_KEYS"):
        ErasureFilter([stone], keys)


def test_without_marks_no_key_is_needed() -> None:
    """A tombstone that names nobody keeps nobody out."""
    assert not ErasureFilter([Stone(1, NOW, ())], [])
    assert not NO_ERASURES
    assert ErasureFilter([Stone(1, NOW, (KEYS,), traces=["t"])], [KEYS])

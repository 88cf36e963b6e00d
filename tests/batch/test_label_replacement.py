"""New decisions take the place of label events, once, whatever happens on the way."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as replace_fields
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.labels.completeness import EvidenceCompleteness
from batch.labels.label_replacement import LabelReplacement
from batch.labels.recompute import EvidenceReaders, LabelRecomputer
from batch.labels.staged_labels import StagedLabels
from batch.numbered_rows import NumberedRows
from batch.reviews.review_table import read_review_log
from labels.decision import event_rank, events_in_force
from labels.digests import DigestSet
from labels.scorer import LabelScorer
from lake.commit import commit
from lake.fences import ERASURE_FENCE, RELABEL_FENCE
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import StoredRows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.table_commit import Move, TableCommit
from lake.tables import Lake
from schemas.errors import FencedError
from schemas.records import Feedback, Trace
from tests.batch.kit import (
    SCALES,
    Clock,
    add_labels,
    complaints,
    desk,
    events,
    judge,
    labels_of,
    means,
    new_lake,
    open_lake,
    put,
    reconciled,
    worked,
)
from tests.labels.kit import NOW, feedback, policy, told, trace
from tests.labels.worlds import records
from tests.lake.kit import commit_context

RAW, CLEAN = "Ask Jane about it.", "Ask <PERSON:abc> about it."
EDIT = {"kind": "edit", "actor": "agent", "value": None, "corrected_response": RAW}
NEXT = LabelScorer(policy().model_copy(update={"version": 2}))
SEED = "7"
TOKENS = count(1_000)
LEFT: list[DigestSet] = []
MARK = Move("#replay/1", None, 2)


class CrashError(Exception):
    """The process dies here."""


@pytest.fixture
def corrected_lake(tmp_path: Path) -> Lake:
    """Two traces with corrections and two without, labelled by a worker."""
    made: list[Trace | Feedback] = [trace(f"t{i}", at=i) for i in range(4)]
    made += [feedback(f"e{i}", f"t{i}", at=60 + i, **EDIT) for i in range(2)]
    made += [feedback(f"f{i}", f"t{i}", at=90 + i) for i in range(1, 3)]
    lake = new_lake(tmp_path / "lake", made)
    worked(lake, SCALES)
    assert {label.expected_response for label in labels_of(lake).values()} == {RAW, None}
    return lake


def ids(*names: str) -> DigestSet:
    """Return a set of trace ids."""
    return DigestSet.of(names, SEED)


EVERY = ids("t0", "t1", "t2", "t3")


def anew(lake: Lake, scales: LabelScorer = SCALES, now: int = NOW + 9) -> LabelRecomputer:
    """Return what decides from the tables as they are."""
    traces, feedback_, reviews, labels = (
        lake.table(name) for name in ("traces", "feedback", "reviews", "labels")
    )
    for table in (traces, feedback_, reviews, labels):
        table.refresh()
    whole = EvidenceCompleteness.read(traces, feedback_, reviews, labels)
    written = read_review_log(reviews)
    known = EvidenceReaders(
        traces.batches, feedback_.batches, written.log.verdicts(), written.texts
    )
    return LabelRecomputer(known, whole, scales, None, NOW, now)


def replacing(lake: Lake, scales: LabelScorer = SCALES, *, judge: bool = True) -> LabelReplacement:
    """Return what replaces labels in a lake."""
    made_of = means(Clock(NOW + 9), first_token=next(TOKENS) * 100)
    return LabelReplacement(lake.table("labels"), lambda: anew(lake, scales), MARK, judge, made_of)


def never() -> None:
    """Do nothing."""


def exchange(lake: Lake, change: Callable[[pa.Table], pa.Table], name: str = "feedback") -> None:
    """Put other rows in the place of those of a table, as a replay does."""
    table = lake.table(name)
    table.refresh()
    old = list_live_files(table)
    made = (read_file_rows(table, file) for file in old)
    rows = [StoredRows(one.name, one.day, change(one.rows)) for one in made]
    new = [
        rewrite_rows(table, one, instead_of=[file], retry=means().retry)
        for one, file in zip(rows, old, strict=True)
        if len(one)
    ]
    wanted = TableCommit(
        entry=LedgerEntry(EntryKind.REPLAY, []), token=next(TOKENS), removes=old, adds=new
    )
    replace_files(table, wanted, commit_context(means().retry))


def cleaned(rows: pa.Table) -> pa.Table:
    """Redact the corrections, as a stricter policy would."""
    at = rows.schema.get_field_index("corrected_response")
    texts = [text and text.replace(RAW, CLEAN) for text in rows["corrected_response"].to_pylist()]
    return rows.set_column(at, rows.schema.field(at), pa.array(texts, pa.string()))


def texts_of(lake: Lake) -> set[str | None]:
    """Return every text that a label event of the live table repeats."""
    return {event.expected_response for event in events(lake)}


def test_old_texts_go_and_each_trace_has_its_one_label(corrected_lake: Lake) -> None:
    """What a worker that reads the exchanged rows would decide is in force; nothing is raw."""
    exchange(corrected_lake, cleaned)
    before = labels_of(corrected_lake)
    replacing(corrected_lake).run(EVERY, never)
    assert texts_of(corrected_lake) == {CLEAN, None}
    after = labels_of(corrected_lake)
    assert after.keys() == before.keys()
    assert {t: after[t].label_event_id == before[t].label_event_id for t in after} == {
        t: before[t].expected_response is None for t in before
    }
    assert all(after[t].revision == before[t].revision for t in after)
    assert complaints(corrected_lake) == []
    assert sum(reconciled(corrected_lake, clock=Clock(NOW + 10)).added.values()) == 0


def test_the_rows_that_no_label_changes_of_are_left_in_their_files(corrected_lake: Lake) -> None:
    """Deciding anew what stands as it should writes nothing but the mark."""
    table = corrected_lake.table("labels")
    files = [file.path for file in list_live_files(table)]
    replacing(corrected_lake).run(EVERY, never)
    table.refresh()
    assert [file.path for file in list_live_files(table)] == files
    assert complaints(corrected_lake) == []


def test_a_new_policy_is_in_force_for_the_traces_that_are_meant_and_no_others(
    corrected_lake: Lake,
) -> None:
    """The others keep their label under the old one; no row of the old is left of these."""
    replacing(corrected_lake, NEXT).run(ids("t0", "t2"), never)
    versions = {
        t: label.policy_version.split("/")[1][0] for t, label in labels_of(corrected_lake).items()
    }
    assert versions | {"t3": "?"} == {"t0": "2", "t1": "1", "t2": "2", "t3": "?"}
    held = [event.trace_id for event in events(corrected_lake)]
    assert held.count("t0") == held.count("t2") == 1
    assert complaints(corrected_lake) == []


def test_texts_stay_where_no_rows_were_exchanged(corrected_lake: Lake) -> None:
    """Under a new label policy alone, history is as true as it was, and the text is the same."""
    replacing(corrected_lake, NEXT, judge=False).run(EVERY, never)
    assert texts_of(corrected_lake) == {RAW, None}
    assert labels_of(corrected_lake)["t0"].policy_version.startswith("test/2")
    assert complaints(corrected_lake) == []


def test_it_is_done_once(corrected_lake: Lake) -> None:
    """Run again after its end it changes nothing, whatever has come since."""
    exchange(corrected_lake, cleaned)
    replacing(corrected_lake).run(EVERY, never)
    found = told(labels_of(corrected_lake))
    version = corrected_lake.table("labels").handle.version()
    replacing(open_lake(corrected_lake.location.uri), NEXT).run(EVERY, never)
    corrected_lake.table("labels").refresh()
    assert (told(labels_of(corrected_lake)), corrected_lake.table("labels").handle.version()) == (
        found,
        version,
    )


def test_killed_before_its_commit_it_has_changed_nothing_and_goes_on(corrected_lake: Lake) -> None:
    """The files that it had written are in no table."""
    exchange(corrected_lake, cleaned)
    before = told(labels_of(corrected_lake))

    def crash() -> None:
        raise CrashError

    replacing(corrected_lake).fence()
    with pytest.raises(CrashError):
        replacing(corrected_lake).run(EVERY, crash)
    assert told(labels_of(corrected_lake)) == before
    replacing(corrected_lake).fence()
    replacing(corrected_lake).run(EVERY, never)
    assert texts_of(corrected_lake) == {CLEAN, None}
    assert complaints(corrected_lake) == []


def test_a_trace_that_is_no_longer_known_has_no_label(corrected_lake: Lake) -> None:
    """Its record and all feedback on it are set aside under the new policy."""
    for name in ("traces", "feedback"):
        exchange(
            corrected_lake, lambda rows: rows.filter(pc.not_equal(rows["trace_id"], "t0")), name
        )
    replacing(corrected_lake).run(EVERY, never)
    assert "t0" not in {event.trace_id for event in events(corrected_lake)}
    assert complaints(corrected_lake) == []


def test_what_is_said_while_it_looks_is_not_lost(corrected_lake: Lake) -> None:
    """A worker labels more of a trace between the look and the commit: that label is in force."""
    exchange(corrected_lake, cleaned)
    left = [1]

    def meanwhile() -> None:
        if left:
            left.pop()
            other = open_lake(corrected_lake.location.uri)
            put(other, [feedback("later", "t0", at=200, kind="escalation", value=None)])
            fresh = anew(other).recompute(ids("t0"), {})
            add_labels(other, [one.event for one in fresh if one.event is not None])

    replacing(corrected_lake).run(EVERY, meanwhile)
    assert left == []
    label = labels_of(corrected_lake)["t0"]
    assert "later" in {item.feedback_id for item in label.evidence}
    assert label.expected_response == CLEAN
    assert texts_of(corrected_lake) == {CLEAN, None}
    assert complaints(corrected_lake) == []


def test_a_job_that_had_read_the_old_rows_does_not_bring_their_texts_back(
    corrected_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has decided from them and is about to add; it looks again, and adds the new text."""
    put(corrected_lake, [feedback("more", "t0", at=300)])
    job, real, once = open_lake(corrected_lake.location.uri), NumberedRows.append, iter([True])

    def append(rows: Any, *args: Any, **more: Any) -> None:
        if next(once, False):
            exchange(corrected_lake, cleaned)
            replacing(corrected_lake).fence()
            replacing(corrected_lake).run(ids("t1"), never)
        real(rows, *args, **more)

    monkeypatch.setattr("batch.numbered_rows.NumberedRows.append", append)
    reconciled(job, clock=Clock(NOW + 20))
    assert labels_of(corrected_lake)["t0"].expected_response == CLEAN
    assert "more" in {item.feedback_id for item in labels_of(corrected_lake)["t0"].evidence}
    assert complaints(corrected_lake) == []


def test_a_table_that_is_compacted_meanwhile_is_looked_at_again(corrected_lake: Lake) -> None:
    """The file that was to be written again is another by now; the end is the same."""
    exchange(corrected_lake, cleaned)
    looks: list[int] = []

    def meanwhile() -> None:
        looks.append(1)
        if len(looks) == 1:
            exchange(
                open_lake(corrected_lake.location.uri),
                lambda rows: rows.sort_by("trace_id"),
                "labels",
            )

    replacing(corrected_lake).run(EVERY, meanwhile)
    assert len(looks) == 2
    assert texts_of(corrected_lake) == {CLEAN, None}
    assert complaints(corrected_lake) == []


def test_an_erasure_that_falls_between_look_and_commit_makes_it_look_again(
    corrected_lake: Lake,
) -> None:
    """The number of the tombstone in force has risen: what was read before may be of them."""
    exchange(corrected_lake, cleaned)
    looks: list[int] = []
    mine = replacing(corrected_lake)
    table = open_lake(corrected_lake.location.uri).table("labels")

    def meanwhile() -> None:
        looks.append(1)
        if len(looks) == 1:
            ERASURE_FENCE.raise_to(table, 1, commit_context(means().retry))

    mine.run(EVERY, meanwhile)
    assert len(looks) == 2
    assert texts_of(corrected_lake) == {CLEAN, None}


def test_what_a_reviewer_wrote_stays(corrected_lake: Lake) -> None:
    """A review is known of its trace: its answer is the expected one, before and after."""
    reconciled(corrected_lake)
    mine = desk(corrected_lake, clock=Clock(NOW + 1))
    handed = mine.claim("ann", 1)[0].item.trace_id
    judge(mine, handed, "ann", expected_response="As reviewed.")
    replacing(corrected_lake).run(EVERY, never)
    assert labels_of(corrected_lake)[handed].expected_response == "As reviewed."
    assert complaints(corrected_lake) == []


def proposal(folder: Path) -> StagedLabels:
    """Return the proposals of a replay, in a table of its own."""
    stage = open_lake(folder / "stage")
    stage.init(["labels"])
    return StagedLabels(stage.table("labels"), "#replay/1", LEFT.append, means(Clock(NOW + 9)))


def deciding(lake: Lake) -> Iterable[str]:
    """Return the ids of what the live tables come to."""
    return {d.event.label_event_id for d in anew(lake).recompute(EVERY, {}) if d.event}


def test_a_proposal_says_what_will_be_and_touches_nothing(
    corrected_lake: Lake, tmp_path: Path
) -> None:
    """Its events have the ids of those that take the place of the live ones later."""
    exchange(corrected_lake, cleaned)
    before = told(labels_of(corrected_lake))
    mine = proposal(tmp_path)
    assert not mine.complete
    mine.stage(EVERY, anew(corrected_lake), lambda *_told: None)
    found = proposal(tmp_path).compare(EVERY, ids(), corrected_lake.table("labels"), samples=5)
    assert told(labels_of(corrected_lake)) == before
    assert (found.changed, found.expected_response, found.label) == (2, 2, 0)
    assert (found.added, found.gone) == (0, 0)
    assert {both.after.expected_response for both in found.samples if both.after} == {CLEAN}
    proposed = {event.label_event_id for event in events(open_lake(tmp_path / "stage"))}
    replacing(corrected_lake).run(EVERY, never)
    assert proposed == {event.label_event_id for event in labels_of(corrected_lake).values()}
    after = proposal(tmp_path).compare(EVERY, ids(), corrected_lake.table("labels"), samples=5)
    assert not after.differs


def test_what_rests_on_expired_evidence_is_left_alone(corrected_lake: Lake, tmp_path: Path) -> None:
    """Proposed for none of them, told as unchanged, and not replaced while no text changes."""
    everything = anew(corrected_lake, NEXT)
    part = replace_fields(
        everything, completeness=EvidenceCompleteness(None, feedback_since=NOW, reviews_since=0)
    )
    LEFT.clear()
    mine = proposal(tmp_path)
    mine.stage(EVERY, part, lambda *_told: None)
    assert sorted(t for left in LEFT for t in ("t0", "t1", "t2", "t3") if t in left) == [
        "t0", "t1", "t2",
    ]  # fmt: skip
    before = told(labels_of(corrected_lake))
    found = mine.compare(EVERY, LEFT[0], corrected_lake.table("labels"), samples=5)
    assert (found.changed, found.gone, found.same) == (0, 0, len(before))
    replace_fields(replacing(corrected_lake, NEXT), open_recomputer=lambda: part).run(EVERY, never)
    assert told(labels_of(corrected_lake)) == before


def test_a_proposal_that_was_killed_goes_on(
    corrected_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is in it once; it is complete only when all are there."""
    monkeypatch.setattr("batch.labels.staged_labels.COMMIT_EVENTS", 1)
    mine, real, left = proposal(tmp_path), NumberedRows.append, [2]

    def append(rows: Any, *args: Any, **more: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError
        real(rows, *args, **more)

    monkeypatch.setattr("batch.numbered_rows.NumberedRows.append", append)
    with pytest.raises(CrashError):
        mine.stage(EVERY, anew(corrected_lake), lambda *_told: None)
    left[0] = 99
    again = proposal(tmp_path)
    again.staged.refresh()
    assert not again.complete
    again.stage(EVERY, anew(corrected_lake, now=NOW + 99), lambda *_told: None)
    found = [event.label_event_id for event in events(open_lake(tmp_path / "stage"))]
    assert sorted(found) == sorted(deciding(corrected_lake))
    again.staged.refresh()
    assert again.complete


def test_in_force_means_the_same_everywhere(corrected_lake: Lake) -> None:
    """The table of labels after a replacement has one greatest rank for each trace."""
    replacing(corrected_lake, NEXT).run(EVERY, never)
    for trace_id, label in events_in_force(events(corrected_lake)).items():
        ranks = [event_rank(one) for one in events(corrected_lake) if one.trace_id == trace_id]
        assert ranks.count(max(ranks)) == 1
        assert event_rank(label) == max(ranks)


def hidden(rows: pa.Table) -> pa.Table:
    """Redact all of each correction."""
    at = rows.schema.get_field_index("corrected_response")
    texts = [None if text is None else CLEAN for text in rows["corrected_response"].to_pylist()]
    return rows.set_column(at, rows.schema.field(at), pa.array(texts, pa.string()))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=records(), chosen=st.sets(st.integers(0, 5)))
def test_it_is_as_if_the_rows_had_always_been_these(
    tmp_path_factory: pytest.TempPathFactory, made: Sequence[Trace | Feedback], chosen: set[int]
) -> None:
    """Whatever was said, and whichever traces are meant: their labels are those of a new lake."""
    folder, now = tmp_path_factory.mktemp("lakes"), Clock(NOW + 20)
    lake = new_lake(folder / "lived", made)
    worked(lake, SCALES)
    reconciled(lake, as_of=NOW)
    before = told(labels_of(lake))
    if any(isinstance(record, Feedback) for record in made):
        exchange(lake, hidden)
    fresh = new_lake(folder / "fresh", made)
    if any(isinstance(record, Feedback) for record in made):
        exchange(fresh, hidden)
    reconciled(fresh, as_of=NOW)
    names = sorted({record.trace_id for record in made})
    meant = {name for i, name in enumerate(names) if i % 6 in chosen}
    mine = replacing(lake)
    mine.fence()
    mine.run(ids(*meant), never)
    after, wanted = told(labels_of(lake)), told(labels_of(fresh))
    assert {t: one for t, one in after.items() if t in meant} == {
        t: one for t, one in wanted.items() if t in meant
    }
    assert {t: one for t, one in after.items() if t not in meant} == {
        t: one for t, one in before.items() if t not in meant
    }
    texts = {event.expected_response for event in events(lake) if event.trace_id in meant}
    assert texts <= {None, CLEAN}
    assert complaints(lake) == []
    reconciled(lake, clock=now, as_of=NOW)
    assert complaints(lake) == []


def test_fenced_workers_commit_nothing(corrected_lake: Lake) -> None:
    """Who looked before the fence cannot commit under what he saw."""

    table = corrected_lake.table("labels")
    table.refresh()
    seen = RELABEL_FENCE.value(table)
    replacing(open_lake(corrected_lake.location.uri)).fence()
    with pytest.raises(FencedError):
        commit(
            table,
            TableCommit(
                entry=LedgerEntry(EntryKind.FLUSH, []),
                token=5,
                moves=[Move("x", None, 1)],
                guards=[RELABEL_FENCE.guard(seen)],
            ),
            commit_context(means().retry),
        )

"""After an erasure nothing of the person is anywhere, and all rows of others are as they were."""

import itertools
import json
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from batch.compaction import compact_batches, plan_compaction
from batch.erase.receipt import (
    event_marks_in_notes,
    label_events_in_notes,
    read_receipt,
    sign_receipt,
)
from batch.erase.table_set import TableSet
from batch.erase.tombstone_store import TombstoneMarks
from goldpan.audit_rules import load_audit_rules
from lake import tombstones
from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.live_files import list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.table_commit import Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from lake.verify import verify_lake
from lake.verify_audit import AuditRules
from lake.verify_files import DeepOptions
from redact.crypto.keys import Keys, SealKey
from redact.crypto.pseudonyms import Pseudonyms
from redact.crypto.sealing import Sealer
from redact.crypto.signing import Signer
from redact.crypto.subjects import marks_of_events, trace_mark, user_mark
from redact.pipeline.audit import chain_hash
from schemas.arrow import ANSWER_REVIEWS_TABLE, JUDGEMENTS_TABLE, SPANS_TABLE
from schemas.errors import UsageError
from tests.batch.erase.world import (
    KEYS,
    NICKNAME,
    OTHER_KEYS,
    OWN,
    PERSON,
    SAID,
    SEAL,
    USER,
    WORDS,
    erasure,
    flush,
    new_world,
    person,
    quarantined,
    rows_of,
    say,
    set_aside,
    tables,
)
from tests.batch.kit import SCALES, Clock, labels_of, new_lake, open_lake, reconciled
from tests.edges.search import marks_in_folder
from tests.labels.kit import DAY, NOW, told, trace
from tests.lake.kit import commit_context, patience

MENTIONS = {"t02", "t03"}
AFTER = date(2027, 6, 1)


@pytest.fixture(scope="module")
def person_lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of the person, to be copied."""
    folder = tmp_path_factory.mktemp("world") / "lake"
    new_world(folder)
    assert marks_in_folder(folder, WORDS)
    return folder


@pytest.fixture
def erasable_lake(person_lake_folder: Path, tmp_path: Path) -> Lake:
    """The lake of the person, in which every word occurs."""
    shutil.copytree(person_lake_folder, tmp_path / "lake")
    return open_lake(tmp_path / "lake")


def again(lake: Lake) -> Lake:
    """Open a lake with fresh handles."""
    return open_lake(lake.location.uri)


def problems(lake: Lake) -> list[str]:
    """What `lake verify --deep` says."""
    return list(verify_lake(again(lake), deep=True).problems)


def versions(lake: Lake) -> dict[str, int]:
    """The version of each table."""
    return {name: again(lake).table(name).handle.version() for name in TABLE_LAYOUTS}


def content(folder: Path) -> dict[str, bytes]:
    """All bytes in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def coordinates(rows: list[dict[str, Any]]) -> set[tuple[str, int]]:
    """Where rows came from."""
    return {(row["_topic"], row["_offset"]) for row in rows}


def opened(lake: Lake) -> list[bytes]:
    """The payloads in quarantine."""
    sealer = Sealer(KEYS.fingerprint, "p", SEAL)
    return [
        sealer.open(
            topic=row["_topic"],
            partition=row["_partition"],
            offset=row["_offset"],
            sealed_payload=row["sealed_payload"],
            sealed_key_id=row["sealed_key_id"],
        )
        for row in rows_of(lake, "quarantine")
        if row["sealed_payload"] is not None
    ]


def test_nothing_is_left_in_any_byte(erasable_lake: Lake, tmp_path: Path) -> None:
    """No id, pseudonym, nickname or fingerprint, in files, logs, statistics or sealed payloads."""
    assert any(NICKNAME.encode() in payload for payload in opened(erasable_lake))
    erasure(erasable_lake).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    assert [json.loads(payload)["user_id"] for payload in opened(erasable_lake)] == ["other-1"]
    assert problems(erasable_lake) == []


def test_what_is_of_others_stays_as_it_was(erasable_lake: Lake) -> None:
    """Rows without the person are unchanged; those that mention the person are gone and counted."""
    before = tables(erasable_lake)
    ended = erasure(erasable_lake).run()
    after = tables(erasable_lake)
    for name in ("traces", "feedback", "reviews", "quarantine"):
        assert all(row in before[name] for row in after[name])
    assert {row["trace_id"] for row in after["traces"]} == {
        f"t{n:02}" for n in range(20)
    } - MENTIONS
    assert {row["feedback_id"] for row in after["feedback"]} == {"f-5", "f-6", "f-7"}
    assert "t07" not in {r["trace_id"] for r in after["reviews"] if r["reviewer"] == USER}
    said = json.loads(ended.receipt)["tables"]
    counts = {name: (said[name]["own"], said[name]["mentions"]) for name in ("traces", "feedback")}
    assert counts == {"traces": (4, 2), "feedback": (4, 1)}
    assert said["traces"]["records"] == {"llm.traces/0": ["2-3,10-11,22-23"]}


def test_traces_of_others_are_decided_again_from_what_is_left(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """Their labels are those of a lake without any feedback from the person."""
    erasure(erasable_lake).run()
    labels = labels_of(again(erasable_lake))
    rest = [e.feedback_id for label in labels.values() for e in label.evidence]
    assert not set(rest) & set(SAID)
    assert reconciled(again(erasable_lake), clock=Clock(NOW + 3 * DAY)).added == {}
    never = new_lake(tmp_path / "never")
    for name in ("traces", "feedback", "reviews"):
        copy_rows(erasable_lake, never, name)
    reconciled(never, SCALES, clock=Clock(NOW + DAY))
    about = ("t05", "t06", "t07")
    assert {"t05", "t06"} <= labels.keys()
    ours, pure = (told(labels_of(again(one))) for one in (erasable_lake, never))
    assert {one: ours.get(one) for one in about} == {one: pure.get(one) for one in about}


def test_the_chain_of_the_audit_still_holds(erasable_lake: Lake) -> None:
    """No row is gone; those of the person say nothing, each row after one still names it."""
    before = rows_of(erasable_lake, "redactions")
    head = verify_lake(again(erasable_lake)).head
    erasure(erasable_lake).run()
    after = rows_of(erasable_lake, "redactions")
    assert (
        verify_lake(again(erasable_lake), since=head).problems == []
    )  # though bounds in old commits are wide
    assert [(row["previous"], row["chain"]) for row in after] == [
        (row["previous"], row["chain"]) for row in before
    ]
    blank: dict[str, Any] = {
        "fingerprint": None,
        "characters_scanned": 0,
        "counts": [],
        "positions": [],
    }
    gone = [row for row in after if row["fingerprint"] is None]
    assert len(gone) == 11
    assert all(row.items() >= blank.items() for row in gone)
    for row in after:
        if row["fingerprint"] is not None:
            assert row in before
            assert row["chain"] == _hashed(row)
    assert _walked(erasable_lake, load_audit_rules(again(erasable_lake), [KEYS])) == []
    for rules in (
        AuditRules(chain_hash),
        load_audit_rules(again(erasable_lake), [Keys.derive(b"x" * 32)]),
    ):
        [said] = _walked(erasable_lake, rules)
        assert said.startswith("table redactions: 11 rows are blank, and no receipt")


def _walked(lake: Lake, rules: AuditRules) -> list[str]:
    """What a proof says that walks the audit; all files have hashes, those written again too."""
    report = verify_lake(again(lake), deep=True, options=DeepOptions(audit=rules))
    assert report.files is not None
    assert report.files.unproved == []
    return list(report.problems)


def _hashed(row: Mapping[str, Any]) -> str:
    outside = {"previous", "chain", "event_date", "_schema"}
    told = {name: value for name, value in row.items() if name not in outside}
    micros = round(row["_ingested_at"].timestamp() * 1_000_000)
    return chain_hash({**told, "_ingested_at": micros}, row["previous"])


def test_twice_changes_nothing(erasable_lake: Lake, tmp_path: Path) -> None:
    """No version of a table, no byte of a file, and the same receipt."""
    first = erasure(erasable_lake).run()
    there, numbers = content(tmp_path), versions(erasable_lake)
    second = erasure(again(erasable_lake), clock=Clock(NOW + 5 * DAY)).run()
    assert (second.already_done, second.receipt) == (True, first.receipt)
    assert versions(erasable_lake) == numbers
    assert content(tmp_path) == there


def test_a_look_changes_nothing_and_tells_what_would_go(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """Its counts are those of the receipt."""
    there = content(tmp_path)
    found, _ = erasure(erasable_lake).scan()
    assert content(tmp_path) == there
    would = {
        one.table.name: [sum(one.own.values()), sum(one.mentions.values())] for one in found.tables
    }
    said = json.loads(erasure(erasable_lake).run().receipt)["tables"]
    assert would == {name: [one["own"], one["mentions"]] for name, one in said.items()}


def test_only_files_that_hold_the_person_are_written_again(erasable_lake: Lake) -> None:
    """All other files of all tables stay where they are."""
    before = {name: list_live_files(again(erasable_lake).table(name)) for name in TABLE_LAYOUTS}
    found, _ = erasure(erasable_lake).scan()
    touched = {one.table.name: set(one.files) for one in found.tables}
    erasure(erasable_lake).run()
    for name, files in before.items():
        kept = {file.path for file in list_live_files(again(erasable_lake).table(name))}
        assert {file.path for file in files} - kept == touched[name]
    assert any({file.path for file in before[name]} - touched[name] for name in before)


def test_what_compaction_left_behind_goes_too(erasable_lake: Lake, tmp_path: Path) -> None:
    """Files and bounds of before a compaction; and an erased lake can be compacted."""
    compacted(erasable_lake)
    assert any("/_delta_log/" in path for path in marks_in_folder(tmp_path, OWN))
    erasure(again(erasable_lake)).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    before = rows_of(erasable_lake, "traces")
    compacted(again(erasable_lake))
    assert rows_of(erasable_lake, "traces") == before
    assert erasure(again(erasable_lake)).run().already_done
    assert marks_in_folder(tmp_path, WORDS) == []
    assert problems(erasable_lake) == []


def compacted(lake: Lake) -> None:
    """Compact all tables of a lake."""
    for name in TABLE_LAYOUTS:
        table = lake.table(name)
        batches = plan_compaction(table, before=AFTER)
        tokens = itertools.count(1).__next__
        list(compact_batches(table, batches, commit_context(new_token=tokens)))


def test_files_that_a_worker_has_not_committed_yet_stay(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """Unless they contain the person: then no writer can commit them any more."""
    table = erasable_lake.table("traces")
    table.refresh()
    files = list_live_files(table)
    persons = {*OWN, *MENTIONS}
    one = next(file for file in files if persons & {*ids(table, file)})
    other = next(file for file in files if not persons & {*ids(table, file)})
    for number, file in ((1, one), (2, other)):
        table.files.put(f"{file.path[:-8]}-{number}.parquet", table.files.get(file.path))
    table.files.put(f"{one.path[:-8]}.writing-1", b"half")
    erasure(again(erasable_lake)).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    left = {path for path, _ in table.files.walk("event_date=2026-11-01")}
    left |= {path for path, _ in table.files.walk("event_date=2026-11-02")}
    assert f"{other.path[:-8]}-2.parquet" in left
    assert f"{one.path[:-8]}-1.parquet" not in left


def ids(table: Any, file: Any) -> list[str]:
    """The trace ids in a file."""
    found: list[str] = read_file_rows(table, file).rows["trace_id"].to_pylist()
    return found


def test_other_versions_can_be_read_as_far_as_their_files_are_there(erasable_lake: Lake) -> None:
    """The erasure leaves a log that reads, and a checkpoint without the person."""
    erasure(erasable_lake).run()
    for name in TABLE_LAYOUTS:
        table = again(erasable_lake).table(name)
        assert table.handle.to_pyarrow_dataset().count_rows() == len(rows_of(erasable_lake, name))
        if name in {SPANS_TABLE, JUDGEMENTS_TABLE, ANSWER_REVIEWS_TABLE}:
            continue  # they never held anything
        hint = table.files.find("_delta_log/_last_checkpoint")
        assert hint is not None
        assert json.loads(hint)["version"] >= max(
            v for v, _ in table.commit_metadata("goldpan.erasure")
        )


def test_a_person_who_comes_back_is_new_data_and_can_go_again(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """Another tombstone and another receipt; the first stays as it is."""
    first = erasure(erasable_lake).run()
    flush(
        erasable_lake,
        [trace("mias-new-trace", at=50 * 86_400, user_id=USER, messages=say(NICKNAME))],
    )
    second = erasure(again(erasable_lake), clock=Clock(NOW + 60 * DAY)).run()
    assert second.number > first.number
    assert not second.already_done
    said = json.loads(second.receipt)["tables"]
    assert said["traces"]["own"] == 1
    assert marks_in_folder(tmp_path, [*WORDS, "mias-new-trace"]) == []
    assert problems(erasable_lake) == []
    store = tombstones.open_tombstones(erasable_lake.location)
    assert store.find(f"{first.number}.receipt.json") == first.receipt


def test_somebody_who_is_nowhere_gets_a_tombstone_and_a_receipt(erasable_lake: Lake) -> None:
    """So that records that come later are kept out; no row is touched."""
    before = tables(erasable_lake)
    ended = erasure(erasable_lake, ids=frozenset({"nobody-99"})).run()
    assert tables(erasable_lake) == before
    counts = json.loads(ended.receipt)["tables"]
    assert counts.keys() == TABLE_LAYOUTS.keys()
    nothing = {"own": 0, "mentions": 0, "versions": [], "records": {}}
    assert all(each == nothing for each in counts.values())
    assert erasure(again(erasable_lake), ids=frozenset({"nobody-99"})).run().already_done


def test_who_has_a_similar_id_stays(erasable_lake: Lake) -> None:
    """An id that begins like the person's, in a text or under its pseudonym, is another one."""
    alike = f"{PERSON}2"
    flush(erasable_lake, [trace("alike", user_id=person(alike), messages=say(f"I am {alike}"))])
    erasure(erasable_lake).run()
    assert "alike" in {row["trace_id"] for row in rows_of(erasable_lake, "traces")}


def test_rows_under_a_former_key_or_in_the_scope_of_an_app_go(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """All forms of the id are known, as long as the key is."""
    former = Pseudonyms(OTHER_KEYS).identifier("USER_ID", PERSON)
    scoped = Pseudonyms(KEYS).identifier("USER_ID", PERSON, "shop")
    flush(
        erasable_lake, [trace("by-former-key", user_id=former), trace("of-one-app", user_id=scoped)]
    )
    erasure(erasable_lake).run()
    assert marks_in_folder(tmp_path, [*WORDS, former, scoped, "by-former-key", "of-one-app"]) == []


def test_many_persons_at_once(erasable_lake: Lake, tmp_path: Path) -> None:
    """One erasure, one receipt; each of them is known to be erased afterwards."""
    both = frozenset({PERSON, "other-3"})
    ended = erasure(erasable_lake, ids=both).run()
    assert marks_in_folder(tmp_path, [*WORDS, person("other-3")]) == []
    users = {row["user_id"] for row in rows_of(erasable_lake, "traces")}
    assert users == {person(f"other-{n}") for n in (0, 1, 2, 4)}
    assert erasure(again(erasable_lake)).run().receipt == ended.receipt


def test_who_comes_to_a_request_that_was_done_is_not_passed_over(erasable_lake: Lake) -> None:
    """A request for two persons: one was erased before, the other is in no table."""
    first = erasure(erasable_lake).run()
    both = frozenset({PERSON, "nobody-99"})
    second = erasure(again(erasable_lake), ids=both).run()
    assert (second.already_done, second.number > first.number) == (False, True)
    assert second.found_ids == frozenset()
    known = [
        one.subjects[KEYS.name]
        for one in tombstones.read_tombstones(tombstones.open_tombstones(erasable_lake.location))
    ]
    assert user_mark(KEYS, "nobody-99") in {mark for marks in known for mark in marks}
    third = erasure(again(erasable_lake), ids=both).run()
    assert (third.already_done, third.receipt) == (True, second.receipt)


def test_a_number_without_its_country_is_read_as_the_policy_reads_it(
    erasable_lake: Lake, tmp_path: Path
) -> None:
    """Its placeholder in texts of others is that of the full number, in the policy's regions."""
    placeholder = Pseudonyms(KEYS, ["NZ"]).placeholder("PHONE_NUMBER", "+64 3 345 6789")
    flush(erasable_lake, [trace("asked-to-call", messages=say(f"Call {placeholder}"))])
    plain = erasure(again(erasable_lake), ids=frozenset({"03 345 6789"}))
    assert plain.scan()[0].empty
    read = erasure(again(erasable_lake), ids=frozenset({"03 345 6789"}), regions=["NZ"])
    assert read.run().found_ids == frozenset({"03 345 6789"})
    assert marks_in_folder(tmp_path, ["asked-to-call", placeholder]) == []


def test_ids_of_events_that_earlier_versions_put_down_are_still_read() -> None:
    """And the marks that are written now; neither is mistaken for the other."""
    said: list[dict[str, Any]] = [
        {"events": ["a", "b"]},
        {"event_marks": marks_of_events([KEYS], ["c"])},
        {},
    ]
    assert label_events_in_notes(said) == {"a", "b"}
    marks = TombstoneMarks([KEYS], events=event_marks_in_notes(said))
    assert marks.match_events(["a", "b", "c", "d"]) == {"c"}


def test_payloads_that_cannot_be_opened_are_said_to_be(erasable_lake: Lake, tmp_path: Path) -> None:
    """Refused by default; if kept, the receipt says how many; if removed, none is left."""
    there = content(tmp_path)
    for seal in (None, SealKey("s0", bytes(32))):
        with pytest.raises(UsageError, match=r"3 sealed payloads .* cannot be opened"):
            erasure(again(erasable_lake), seal=seal).run()
    assert content(tmp_path) == there
    kept = json.loads(erasure(again(erasable_lake), seal=None, unopened="keep").run().receipt)
    assert kept["not_looked_into"]["sealed_payloads"] == 3
    assert len(rows_of(erasable_lake, "quarantine")) == 3
    removed = json.loads(erasure(again(erasable_lake), seal=None, unopened="remove").run().receipt)
    assert removed["tables"]["quarantine"]["own"] == 3
    assert removed["not_looked_into"]["sealed_payloads"] == 0
    assert rows_of(erasable_lake, "quarantine") == []
    assert problems(erasable_lake) == []


def test_records_without_a_payload_are_counted_as_such(erasable_lake: Lake) -> None:
    """Their owner cannot be determined; none of their content is stored."""
    set_aside(erasable_lake, quarantined(start=27), key=None)
    said = json.loads(erasure(erasable_lake).run().receipt)
    assert said["not_looked_into"] == {"sealed_payloads": 0, "quarantined_without_payload": 3}


def test_staged_replays_are_searched_as_well(erasable_lake: Lake, tmp_path: Path) -> None:
    """Their tables are fenced and lose the same rows, those of the audit their words."""
    staged = Lake(LakeSettings(uri=str(tmp_path / "lake" / "replays" / "r1")))
    names = ("traces", "quarantine", "redactions")
    staged.init(names)
    for name in names:
        copy_rows(erasable_lake, staged, name)
    place = TableSet("replays/r1", {name: staged.table(name) for name in names})
    ended = erasure(erasable_lake, staged=[place]).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    said = json.loads(ended.receipt)["tables"]
    assert said["replays/r1/traces"]["own"] == 4
    assert said["replays/r1/redactions"]["own"] == 11
    assert len(rows_of(staged, "traces")) == 18
    assert all((place.tables[name].txn_version("#erasures") or 0) >= 2 for name in names)


def copy_rows(lake: Lake, staged: Lake, name: str) -> None:
    """Bring the rows of a table into that of another lake."""
    table, target = again(lake).table(name), staged.table(name)
    files = [
        rewrite_rows(target, read_file_rows(table, file), instead_of=[file], retry=patience())
        for file in list_live_files(table)
    ]
    commit(
        target,
        TableCommit(
            entry=LedgerEntry(EntryKind.REPLAY, []),
            token=1,
            moves=[Move("#copied", None, 1)],
            adds=files,
        ),
        commit_context(),
    )


def test_a_receipt_is_signed_and_names_nobody(erasable_lake: Lake) -> None:
    """By the key of the redaction secret; a changed letter breaks it."""
    ended = erasure(erasable_lake).run()
    said, signed_by = read_receipt(ended.receipt, "here")
    assert signed_by == Signer(KEYS.receipt).public
    assert not any(word.encode() in ended.receipt for word in WORDS)
    changed = ended.receipt.replace(b'"own": 4', b'"own": 3', 1)
    assert read_receipt(changed, "here")[1] is None
    with pytest.raises(UsageError, match="is not a receipt"):
        read_receipt(b"{}", "here")
    assert said["erasures"] == [1, 2, 3]


def test_a_receipt_names_what_reads_the_lake_in_place(erasable_lake: Lake) -> None:
    """And one from before it did so stays valid, and says what it said."""
    said, _ = read_receipt(erasure(erasable_lake).run().receipt, "here")
    [named] = [text for text in said["out_of_reach"] if "warehouses" in text]
    signer = Signer(KEYS.receipt)
    older = {**said, "out_of_reach": [text for text in said["out_of_reach"] if text != named]}
    assert read_receipt(sign_receipt(older, signer), "here") == (older, signer.public)


def test_the_tombstone_names_every_trace_by_its_mark(erasable_lake: Lake) -> None:
    """So that all of them are kept out when old topics are read again."""
    erasure(erasable_lake).run()
    tombs = tombstones.read_tombstones(tombstones.open_tombstones(erasable_lake.location))
    for keys in (KEYS, OTHER_KEYS):
        marks = {mark for tomb in tombs for mark in tomb.traces.get(keys.name, ())}
        assert marks == {trace_mark(keys, one) for one in [*OWN, *MENTIONS]}


def test_an_unfinished_move_comes_first(erasable_lake: Lake) -> None:
    """A record in quarantine and in its table would stay missing from one count."""
    source = SourcePartition("llm.traces", 0)
    table = erasable_lake.table("traces")
    table.refresh()
    file = list_live_files(table)[0]
    rows = read_file_rows(table, file)
    new = rewrite_rows(table, rows, instead_of=[file, file], retry=patience())
    entry = LedgerEntry(EntryKind.REDRIVE, [SourceRange(*source, 0, 0, stored=1, quarantined=1)])
    replace_files(
        table, TableCommit(entry=entry, token=1, removes=[file], adds=[new]), commit_context()
    )
    with pytest.raises(UsageError, match=r"llm.traces/0 .*quarantine redrive"):
        erasure(erasable_lake).run()

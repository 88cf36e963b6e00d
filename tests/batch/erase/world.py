"""A lake in which a person left traces everywhere, and what must not be found there afterwards."""

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa

from batch.erase.erasure import LakeErasure
from batch.erase.scanner import ErasureScanner
from batch.erase.scope import ErasureScope
from batch.erase.table_set import TableSet
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.parquet import encode_files
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import position_app
from lake.tables import Lake
from redact.crypto.keys import Keys, SealKey
from redact.crypto.pseudonyms import Pseudonyms
from redact.crypto.sealing import Sealer
from redact.pipeline.audit import AuditEntry, AuditReplacement, build_audit_rows, chain_start
from schemas.record_batches import RawRecord, RejectedRecord
from schemas.records import Feedback, Message, StoredSpan, Trace
from schemas.redacted import Redacted
from tests.batch.kit import SCALES, TOPICS, Clock, desk, judge, open_lake, put, reconciled
from tests.labels.kit import DAY, NOW, START, feedback, kind_of, trace
from tests.lake.copies import init_lake, read_files, write_files
from tests.lake.kit import HERE, commit_context, patience

PERSON: Final = "mia-4711"
NICKNAME: Final = "Quetzalina"
KEYS: Final = Keys.derive(bytes(range(32)), "k1")
OTHER_KEYS: Final = Keys.derive(bytes(range(1, 33)), "k0")
SEAL: Final = SealKey("s1", bytes(range(2, 34)))
MAKER: Final = Pseudonyms(KEYS)
USER: Final = MAKER.identifier("USER_ID", PERSON)
PLACEHOLDER: Final = MAKER.placeholder("USER_ID", PERSON)
TOKEN: Final = MAKER.token("USER_ID", PERSON)
FINGERPRINT: Final = "f0f1f2"
"""Begins the fingerprints of the person's records in the audit."""

OWN: Final = [f"trace-of-mia-{n}" for n in range(4)]
SAID: Final = ["said-by-mia-0", "said-by-mia-1", "said-by-mia-2"]
LOST: Final = "sealed-of-mia-0"
"""A trace of the person that is in quarantine only."""

WORDS: Final = [PERSON, NICKNAME, USER, TOKEN, FINGERPRINT, *OWN, *SAID, LOST]
"""Words in rows of the person and in texts of others, and nowhere else."""

EDIT: Final[dict[str, Any]] = {"kind": "edit", "actor": "agent", "value": None}


def person(name: str) -> str:
    """Return the pseudonym of a user id in the lake."""
    return MAKER.identifier("USER_ID", name)


def say(text: str) -> list[Message]:
    """Return the messages of a trace."""
    return [Message(role="user", content=text)]


def traces_of_others(count: int = 20) -> list[Trace]:
    """Return traces of others, on two days; the third and the fourth mention the person."""
    made = [
        trace(
            f"t{n:02}",
            at=n * 7200,
            user_id=person(f"other-{n % 5}"),
            session_id=f"s{n % 7}",
            messages=say(f"Question {n}"),
            response=f"Answer {n}",
        )
        for n in range(count)
    ]
    made[2].messages = say(f"Ask {PLACEHOLDER} about it.")
    made[3].attributes = {"answers": OWN[1]}
    return made


def records() -> list[Trace | Feedback]:
    """Return all records that are stored."""
    mine = [
        trace(
            one,
            at=n * 40_000,
            user_id=USER,
            messages=say(f"I am {NICKNAME}."),
            attributes={"nick": NICKNAME},
        )
        for n, one in enumerate(OWN)
    ]
    said: list[Trace | Feedback] = [
        feedback(SAID[0], OWN[0], user_id=USER, comment=f"Yours, {NICKNAME}"),
        feedback(SAID[1], "t05", at=90_000, user_id=USER, comment=NICKNAME),
        feedback(SAID[2], "t06", user_id=USER, **EDIT, corrected_response=f"{NICKNAME} is right"),
        feedback("f-5", "t05", at=80_000, user_id=person("other-0")),
        feedback("f-6", "t06", at=100_000, user_id=person("other-1")),
        feedback("f-7", "t07", at=70_000, user_id=person("other-2")),
        feedback("f-8", "t08", at=70_000, comment=f"as {PLACEHOLDER} said"),
        feedback("f-9", OWN[2], at=90_000, actor="agent", comment="of another"),
    ]
    others = traces_of_others()
    return [*others[:10], *mine[:2], *others[10:], *mine[2:], *said]


def new_world(uri: Path | str, **more: Any) -> Lake:
    """Make the lake, or copy the one made first; in a bucket it is made each time."""
    if more:
        return _make_world(uri, **more)
    write_files(Path(uri), _world_files())
    return open_lake(uri)


@cache
def _world_files() -> Mapping[Path, bytes]:
    with TemporaryDirectory() as folder:
        _make_world(folder)
        return read_files(Path(folder))


def _make_world(uri: Path | str, **more: Any) -> Lake:
    """Make the lake: several flushes, labels, reviews, quarantine, the audit."""
    lake = init_lake(open_lake(uri, **more))
    everything = records()
    traces = [r for r in everything if isinstance(r, Trace)]
    said = [r for r in everything if isinstance(r, Feedback)]
    for start in range(0, len(traces), 6):
        flush(lake, traces[start : start + 6])
    for start in range(0, len(said), 3):
        flush(lake, said[start : start + 3])
    set_aside(lake, quarantined())
    reconciled(lake, SCALES)
    review(lake)
    reconciled(lake, SCALES, clock=Clock(NOW + DAY))
    return lake


def stored_span(trace_id: str, span_id: str, **more: Any) -> StoredSpan:
    """Return a row of a span; its user, if it says one, is a pseudonym."""
    fields: dict[str, Any] = {
        "record": "span",
        "format": "otlp",
        "start_time_unix_nano": START * 1000,
        **more,
    }
    return StoredSpan(trace_id=trace_id, span_id=span_id, started_at=START, **fields)


def flush(lake: Lake, some: Sequence[Trace | Feedback]) -> None:
    """Bring records into the lake as a worker does: quarantine's position, the audit, the rows."""
    kind = kind_of(some[0])
    source = SourcePartition(TOPICS[kind], 0)
    table = lake.table("redactions")
    start = _position(lake, f"{kind}s" if kind == "trace" else "feedback", source)
    span = SourceRange(*source, start, start + len(some))
    _commit(lake, "quarantine", [], span)
    entries = [_entry(source.topic, start + n, one) for n, one in enumerate(some)]
    audit, _ = build_audit_rows(
        entries, policy="p", ingested_at=NOW, previous=chain_start(source.topic, {0: start})
    )
    _commit(lake, table.name, [audit], span, stored=len(some))
    put(lake, some)


def set_aside(lake: Lake, rejected: Sequence[RejectedRecord], key: SealKey | None = SEAL) -> None:
    """Put records into quarantine, as a flush does that stores nothing."""
    source = SourcePartition(TOPICS[kind_of(trace("x"))], 0)
    start = _position(lake, "traces", source)
    sealer = Sealer(KEYS.fingerprint, "p", key)
    count = len(rejected)
    batch = sealer.seal(rejected, ingested_at=NOW)
    span = SourceRange(*source, start, start + count, start, start + count - 1, consumed=count)
    _commit(lake, "quarantine", [batch], span, quarantined=count)
    _commit(lake, "redactions", [], span)
    _commit(lake, "traces", [], span, quarantined=count)


def quarantined(start: int = 24) -> list[RejectedRecord]:
    """Return records that are set aside: of the person, of another, and without a payload."""
    payloads = [
        {"trace_id": LOST, "user_id": PERSON, "comment": NICKNAME},
        {"trace_id": "t90", "user_id": "other-1", "comment": "hello"},
        {"trace_id": OWN[0], "comment": NICKNAME},
    ]
    return [
        RejectedRecord(
            topic="llm.traces",
            raw=RawRecord(
                partition=0,
                offset=start + n,
                timestamp_ms=NOW // 1000,
                key=None,
                value=json.dumps(payload).encode(),
            ),
            reason="not_json",
            field=None,
            detail="d",
            schema_id=None,
        )
        for n, payload in enumerate(payloads)
    ]


def review(lake: Lake) -> None:
    """Let a reviewer judge what there is, with a remark, and the person judge a trace of others."""
    mine = desk(lake)
    for handed in mine.claim("ann", 50):
        remark = NICKNAME if handed.item.trace_id in OWN else "fine"
        judge(mine, handed.item.trace_id, "ann", "fail", comment=remark, policy="p")
    judge(mine, "t07", USER, "pass")


def erasure(
    lake: Lake, *, seal: SealKey | None = SEAL, unopened: str = "refuse", **more: Any
) -> LakeErasure:
    """Return an erasure of the person, whose releases are none."""
    places = [
        TableSet("", {name: lake.table(name) for name in TABLE_LAYOUTS}),
        *more.pop("staged", []),
    ]
    means = CommitContext(
        patience(),
        more.pop("clock", Clock(NOW + 2 * DAY)),
        itertools.count(os.getpid() * 1000).__next__,
    )
    sealer = Sealer(KEYS.fingerprint, "p", seal)
    searcher = ErasureScanner(
        places, sealer, retry=means.retry, remove_unopened=unopened == "remove"
    )
    return LakeErasure(
        lake=lake,
        table_sets=places,
        ids=more.pop("ids", frozenset({PERSON})),
        keys=(KEYS, OTHER_KEYS),
        scanner=searcher,
        refuse_unopened=unopened == "refuse",
        releases=more.pop("releases", NoReleases()),
        scorer=SCALES,
        context=means,
        **more,
    )


class NoReleases:
    """A shelf with nothing on it."""

    def find(self, wanted: ErasureScope, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return nothing."""
        del wanted, events
        return []

    def erase(self, *given: Any) -> list[dict[str, Any]]:
        """Do nothing."""
        del given
        return []


def rows_of(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Return all rows of a table, in the order of where they came from."""
    table = open_lake(lake.location.uri, lake.location.s3_endpoint_url).table(name)
    order = [(c, "ascending") for c in ("_topic", "_partition", "_offset", "_ingested_at")]
    found: pa.Table = table.handle.to_pyarrow_dataset().to_table()
    return list(found.sort_by(order).to_pylist())


def tables(lake: Lake) -> Mapping[str, list[dict[str, Any]]]:
    """Return all rows of all tables."""
    return {name: rows_of(lake, name) for name in TABLE_LAYOUTS}


def _entry(topic: str, offset: int, one: Trace | Feedback) -> AuditEntry:
    mine = one.user_id == USER
    mark = f"{FINGERPRINT if mine else 'e0'}{offset:026x}"[:32]
    where = AuditReplacement("messages.content", "PERSON", "placeholder", 5, 9)
    return AuditEntry(topic, 0, offset, mark, 40, (where,) * (1 + offset % 2))


def _position(lake: Lake, name: str, source: SourcePartition) -> int:
    table = lake.table(name)
    table.refresh()
    return table.positions([source])[source] or 0


def _commit(
    lake: Lake,
    name: str,
    batches: Sequence[Redacted[pa.RecordBatch]],
    span: SourceRange,
    *,
    stored: int = 0,
    quarantined: int = 0,
) -> None:
    table = lake.table(name)
    item = SourceRange(
        span.topic,
        span.partition,
        span.start,
        span.end,
        consumed=stored + quarantined,
        stored=stored,
        quarantined=quarantined,
    )
    files = encode_files(batches, ranges=[item], layout=TABLE_LAYOUTS[name])
    for file in files:
        table.files.put(file.path, file.data)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item], {span.topic: HERE}),
            token=span.start + 1,
            moves=[Move(position_app(span.source), span.start or None, span.end)],
            adds=files,
        ),
        commit_context(),
    )

"""The catalogue of what goldpan keeps in a table's log: application ids and metadata keys.

Under an application id a Delta table keeps one number (Delta protocol, "Transaction Identifiers").
A metadata key names a text in one commit. Both are the protocol on disk, so their texts never
change. The page `docs/table-log.md` is written from this catalogue (`lake.table_log_docs`).
"""

import re
from dataclasses import dataclass
from typing import Final

RECONCILE_SEQUENCE: Final = "#reconcile"
"""The sequence in which batch jobs number the label events that they add."""
REVIEW_SEQUENCE: Final = "#reviews"
"""The sequence in which the rows of the table of reviews are numbered."""
JUDGE_SEQUENCE: Final = "#judgements"
"""The sequence in which the rows of the table of judgements are numbered."""
ANSWER_SEQUENCE: Final = "#answers"
"""The sequence in which the rows of the table of reviewed answers are numbered."""
ASSEMBLY_SEQUENCE: Final = "#assembly"
"""The sequences in which assembled rows are numbered, one for each shard of trace ids."""

_PART: Final = re.compile(r"<([a-z ]+)>")
_PART_PATTERNS: Final = {
    "topic": rf"(?:[A-Za-z0-9._-]+|{RECONCILE_SEQUENCE}|{REVIEW_SEQUENCE}|{JUDGE_SEQUENCE}"
    rf"|{ANSWER_SEQUENCE}|{ASSEMBLY_SEQUENCE})",
    "partition": r"[0-9]+",
    "shard": r"[0-9]+",
    "replay": r"[0-9]+",
    "part": r"[a-z]+",
    "application id": r".+",
}


@dataclass(frozen=True, slots=True)
class AppIdKind:
    """One kind of application id: its form, which tables have it, and what its number says.

    ``form`` has the parts that vary in angle brackets, as in ``<topic>/<partition>#claim``.
    """

    form: str
    tables: str
    number: str
    written_by: str

    def fill(self, *parts: object) -> str:
        """Return the application id with its parts filled in, in their order."""
        values = iter(parts)
        return _PART.sub(lambda _: str(next(values)), self.form)

    def matches(self, app_id: str) -> bool:
        """Return whether an application id is of this kind."""
        pieces = _PART.split(self.form)
        pattern = "".join(
            _PART_PATTERNS[piece] if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
        return re.fullmatch(pattern, app_id) is not None


@dataclass(frozen=True, slots=True)
class MetadataKey:
    """A key in the metadata of commits: which commits have it, and what its text holds."""

    key: str
    commits: str
    holds: str


_PRIMARY: Final = "`traces`, `feedback`"
_FOLLOWING: Final = "every table that follows a topic"

POSITION: Final = AppIdKind(
    "<topic>/<partition>",
    _FOLLOWING,
    "The position: the next offset to consume. In the sequences of jobs (`#reconcile/0`, "
    "`#reviews/0`, `#judgements/0`, `#answers/0`) and of the assembly (`#assembly/<shard>`): the "
    "next number to assign.",
    "each flush; `goldpan stream adopt`; the assembly; jobs and reviewers that add rows",
)
TOKEN: Final = AppIdKind(
    "<application id>#by",
    "every table",
    "The token of the commit that moved this application id last: a random number, by which a "
    "writer recognises its own commit.",
    "each commit that moves a number",
)
CLAIM: Final = AppIdKind(
    "<topic>/<partition>#claim",
    _PRIMARY,
    "The token of the last claim on the partition. A worker that must add to quarantine below "
    "quarantine's own position claims the partition first, so that a worker that decided otherwise "
    "before can no longer commit to the primary table.",
    "a flush that starts below the position of quarantine",
)
LATE: Final = AppIdKind(
    "<topic>/<partition>#late",
    "`quarantine`",
    "The token of the last flush that started below the position of quarantine. A worker died "
    "between the commits to quarantine and to the primary table; the next one reads the range "
    "again and may reject more records. Only one of two such workers can add to quarantine.",
    "a flush that starts below the position of quarantine",
)
EPOCH: Final = AppIdKind(
    "<topic>/<partition>#epoch",
    _PRIMARY,
    "The leader epoch of the last record below the position. A broker that is asked for an offset "
    "with the epoch of the record before it reports whether its log still holds that record "
    "(KIP-320).",
    "each flush",
)
EPOCH_AT: Final = AppIdKind(
    "<topic>/<partition>#epoch_at",
    _PRIMARY,
    "The position that the epoch belongs to. If it differs from the position, the epoch is stale: "
    "a version that keeps no epochs, or an adoption, has moved the position since.",
    "each flush; `goldpan stream adopt` (-1: no epoch)",
)
INCARNATION: Final = AppIdKind(
    "<topic>#incarnation",
    _FOLLOWING,
    "63 bits of the hash of cluster id and topic id: the incarnation of the topic that the "
    "positions belong to.",
    "the first flush; `goldpan stream adopt`",
)
ADOPTED: Final = AppIdKind(
    "<topic>#adopted",
    _FOLLOWING,
    "When the topic was last adopted (microseconds since 1970). Older rows of quarantine belong to "
    "another incarnation: their offsets mean nothing in the topic that exists now.",
    "`goldpan stream adopt`",
)
EVENT_TIME: Final = AppIdKind(
    "<topic>/<partition>#seen",
    "`labels`",
    "How far event time has advanced in a partition of traces (microseconds since 1970). The next "
    "owner of the partition reads the window before it back from the lake.",
    "each flush of labels",
)
PRODUCED: Final = AppIdKind(
    "<topic>/<partition>#produced",
    "`labels`",
    "The offset below which all label events have been produced to the labels topic. Those of "
    "later offsets, up to the position, may be missing there.",
    "each flush of labels, where a topic is set",
)
ASSEMBLY_MARK: Final = AppIdKind(
    "#assembly-read/<shard>",
    "`traces`",
    "A version of `otel_spans`: every trace of the shard whose rows all lie at or below it is "
    "assembled. A worker that takes the shard over reads the later versions again.",
    "the assembly",
)
REDRIVE: Final = AppIdKind(
    "<topic>#redrive",
    _PRIMARY + ", `quarantine`",
    "How often records of the topic were moved between the two tables: its generation. Of two "
    "jobs that read the same generation, one is fenced.",
    "`goldpan quarantine redrive`, `replay promote`, `retention run`",
)
PROMOTING: Final = AppIdKind(
    "<topic>#promoting",
    "`quarantine`",
    "The number of the replay of the topic that is being promoted, 0 for none. Until the promotion "
    "ends a record may be in both tables, and nothing else may move records between them.",
    "`goldpan replay promote`",
)
REPLAY: Final = AppIdKind(
    "#replay/<replay>",
    "every table that a replay changes",
    "How far the promotion of the replay has come in this table. In a staging area: that the "
    "proposed labels are complete.",
    "`goldpan stream replay`, `goldpan replay promote`",
)
RETENTION: Final = AppIdKind(
    "#retention/<part>",
    "every table",
    "The first day (days since 1970) from which the part (`rows`, `text`, `pseudonyms`, `sealed`) "
    "is complete. It never decreases.",
    "`goldpan retention run`",
)
ERASURES: Final = AppIdKind(
    "#erasures",
    "every table",
    "The number of the newest tombstone in force. Commits whose rows were read under an older one "
    "are rejected.",
    "`goldpan erase`",
)
RELABELLED: Final = AppIdKind(
    "#relabelled",
    "`labels`",
    "How often labels were replaced because their rows were. Label events computed before are "
    "rejected.",
    "`goldpan replay promote`",
)

APP_ID_KINDS: Final = (
    POSITION,
    TOKEN,
    CLAIM,
    LATE,
    EPOCH,
    EPOCH_AT,
    INCARNATION,
    ADOPTED,
    EVENT_TIME,
    PRODUCED,
    ASSEMBLY_MARK,
    REDRIVE,
    PROMOTING,
    REPLAY,
    RETENTION,
    ERASURES,
    RELABELLED,
)
"""Every kind of application id that goldpan writes."""

NO_EPOCH: Final = -1
"""The number of `EPOCH_AT` where the epoch belongs to no position."""


LEDGER_KEY: Final = "goldpan"
FILE_HASHES_KEY: Final = "goldpan.files"
AUDIT_CHAINS_KEY: Final = "goldpan.chains"
CROSS_REFERENCES_KEY: Final = "goldpan.others"
REWRITE_TOKEN_KEY: Final = "goldpan.rewrite"  # noqa: S105 - a key in a commit's metadata
FENCE_KEY: Final = "goldpan.fence"
RETENTION_KEY: Final = "goldpan.retention"
ERASURE_KEY: Final = "goldpan.erasure"
REPLAY_KEY: Final = "goldpan.replay"

METADATA_KEYS: Final = (
    MetadataKey(
        LEDGER_KEY,
        "every commit of goldpan but those of fences, of added columns and of checkpoints",
        "The ledger entry: what the commit was for, which offsets it covers and how many records "
        "went where.",
    ),
    MetadataKey(
        FILE_HASHES_KEY,
        "commits that add files",
        "The SHA-256 of each file, by path.",
    ),
    MetadataKey(
        AUDIT_CHAINS_KEY,
        "flushes and replays of `redactions`",
        "For each hash chain: the hash before its first row, the hash of its last row, and the "
        "days of both rows.",
    ),
    MetadataKey(
        CROSS_REFERENCES_KEY,
        "flushes of `traces` and `feedback`",
        "The versions of the other tables at the time, and the ranges of the audit's rows.",
    ),
    MetadataKey(
        REWRITE_TOKEN_KEY,
        "commits that replace files",
        "A random number, by which the writer recognises its own commit.",
    ),
    MetadataKey(FENCE_KEY, "commits that raise a fence", "The value that the fence was raised to."),
    MetadataKey(
        RETENTION_KEY,
        "commits of `goldpan retention run` that remove something",
        "The day, what was removed of it, and the number of the run.",
    ),
    MetadataKey(
        ERASURE_KEY,
        "commits of `goldpan erase`",
        "The number of the erasure, and the coordinates of the removed rows.",
    ),
    MetadataKey(
        REPLAY_KEY,
        "commits of `goldpan replay promote` that replace or add files",
        "The name of the replay and the hash of its redaction policy.",
    ),
)
"""Every key that goldpan writes into the metadata of commits."""


def position_app(source: tuple[str, int]) -> str:
    """Return the application id of the position of a source partition."""
    return POSITION.fill(*source)


def token_app(app: str) -> str:
    """Return the application id of the token of the commit that moved ``app`` last."""
    return TOKEN.fill(app)


def claim_app(source: tuple[str, int]) -> str:
    """Return the application id of the last claim on a source partition."""
    return CLAIM.fill(*source)


def late_app(source: tuple[str, int]) -> str:
    """Return the application id of the last flush that started below quarantine's position."""
    return LATE.fill(*source)


def epoch_app(source: tuple[str, int]) -> str:
    """Return the application id of the leader epoch of the last record below the position."""
    return EPOCH.fill(*source)


def epoch_at_app(source: tuple[str, int]) -> str:
    """Return the application id of the position that the leader epoch belongs to."""
    return EPOCH_AT.fill(*source)


def incarnation_app(topic: str) -> str:
    """Return the application id of the incarnation of a topic."""
    return INCARNATION.fill(topic)


def adopted_app(topic: str) -> str:
    """Return the application id of the time when a topic was last adopted."""
    return ADOPTED.fill(topic)


def event_time_app(source: tuple[str, int]) -> str:
    """Return the application id of how far event time has advanced in a partition of traces."""
    return EVENT_TIME.fill(*source)


def produced_app(source: tuple[str, int]) -> str:
    """Return the application id of the offset below which all label events were produced."""
    return PRODUCED.fill(*source)


def assembly_mark_app(shard: int) -> str:
    """Return the application id of the version of spans up to which a shard is assembled."""
    return ASSEMBLY_MARK.fill(shard)


def redrive_app(topic: str) -> str:
    """Return the application id of the generation of a topic, in both of its tables."""
    return REDRIVE.fill(topic)


def promoting_app(topic: str) -> str:
    """Return the application id of the replay of a topic that is being promoted, 0 for none."""
    return PROMOTING.fill(topic)


def replay_app(replay_id: int) -> str:
    """Return the application id of how far the promotion of a replay has come in a table."""
    return REPLAY.fill(replay_id)


def retention_app(part: str) -> str:
    """Return the application id of the first day from which a part is complete."""
    return RETENTION.fill(part)

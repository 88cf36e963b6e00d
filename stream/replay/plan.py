"""The plan of a replay, written once before anything is read.

A repeated run of the command reads it back and continues; it never changes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from lake.ledger import Incarnation, SourcePartition
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import FatalError, UsageError
from stream.replay.replay_range import ReplayRange, ReplaySpan

PLAN_VERSION = 2
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A replay. ``replay_id`` (random, in [0, 2**63)) distinguishes it from others of its name.

    ``table`` is the topic's primary table, ``policy`` the hash of the redaction policy,
    ``range_text`` the range in words. ``adopted`` is the time of the topic's last adoption (as in
    the ledger), ``created_ms`` that of the plan (milliseconds since 1970). ``from_lake`` means that
    stored rows are read instead of Kafka's records.

    ``labels`` holds the label policy and calibration for relabelling the range's traces (see
    `labels.scorer`), None if labels do not change. ``labels_only`` means that no record is
    re-read. ``unread`` counts requested offsets that the worker had yet to store: they are not part
    of the replay.
    """

    name: str
    replay_id: int
    topic: str
    table: str
    policy: str
    audited: bool
    range_text: str
    incarnation: Incarnation
    adopted: int | None
    spans: Sequence[ReplaySpan]
    created_ms: int
    from_lake: bool = False
    labels: Mapping[str, Any] | None = None
    labels_only: bool = False
    unread: int = 0

    @property
    def label_policy(self) -> str | None:
        """Return the version of label policy and calibration, as in label events."""
        return None if self.labels is None else str(self.labels["version"])

    @property
    def tables(self) -> Sequence[str]:
        """Return the staged tables, in the order of their creation."""
        labels = [LABELS_TABLE] if self.labels is not None else []
        if self.labels_only:
            return labels
        return [QUARANTINE_TABLE, *([AUDIT_TABLE] if self.audited else []), *labels, self.table]

    @property
    def ends(self) -> dict[SourcePartition, int]:
        """Return the end of each partition's range."""
        return {SourcePartition(self.topic, span.partition): span.end for span in self.spans}

    @property
    def starts(self) -> dict[SourcePartition, int]:
        """Return the start of each partition's range."""
        return {SourcePartition(self.topic, span.partition): span.start for span in self.spans}

    @property
    def offsets(self) -> int:
        """Return the number of offsets to read."""
        return sum(span.offsets for span in self.spans)

    def same_task(self, plan: "ReplayPlan") -> bool:
        """Return whether another plan has the same task."""
        return self._task == plan._task

    @property
    def _task(self) -> tuple[object, ...]:
        task = (self.topic, self.policy, self.range_text, self.from_lake)
        return (*task, self.labels_only, self.label_policy)

    def to_bytes(self) -> bytes:
        """Return the plan as JSON."""
        body: dict[str, Any] = {
            "v": PLAN_VERSION,
            "name": self.name,
            "number": self.replay_id,
            "topic": self.topic,
            "table": self.table,
            "policy": self.policy,
            "audited": self.audited,
            "asked": self.range_text,
            "incarnation": [self.incarnation.cluster_id, self.incarnation.topic_id],
            "adopted": self.adopted,
            "spans": [[s.partition, s.start, s.end, s.forgotten] for s in self.spans],
            "created_ms": self.created_ms,
            "from_lake": self.from_lake,
            "labels": None if self.labels is None else dict(self.labels),
            "labels_only": self.labels_only,
        }
        if self.unread:
            body["unread"] = self.unread
        return json.dumps(body).encode()


def parse_plan(data: bytes, source: str) -> ReplayPlan:
    """Parse a plan; FatalError, naming ``source``, if it is damaged or of another version."""
    try:
        body = json.loads(data)
        if body.pop("v") != PLAN_VERSION:
            raise FatalError(
                f"{source}: another version of goldpan began this replay; finish it with that one"
            )
        body["incarnation"] = Incarnation(*body["incarnation"])
        body["replay_id"], body["range_text"] = body.pop("number"), body.pop("asked")
        body["spans"] = [ReplaySpan(*span) for span in body["spans"]]
        return ReplayPlan(**body)
    except (ValueError, KeyError, TypeError) as error:
        raise FatalError(f"{source} cannot be read ({type(error).__name__})") from None


def make_replay_name(table: str, topic: str, requested: ReplayRange, *task: object) -> str:
    """Return the default name of a replay: the same task gives the same name.

    ``task`` is what else distinguishes it: policies, and the source of the rows.
    """
    body = "\n".join(map(str, (topic, requested, *task))).encode()
    return f"{table}-{blake2b(body, digest_size=4).hexdigest()}"


def check_replay_name(name: str) -> str:
    """Return a name that is valid as a folder name; UsageError otherwise."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid replay name: use up to 64 lowercase letters, digits, - and _."
        )
    return name

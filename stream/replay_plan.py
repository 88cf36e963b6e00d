"""What one replay is about, written down once before anything is read.

Whoever runs the command again reads it back and goes on; nothing of it is ever changed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from lake.ledger import Incarnation, Source
from schemas.errors import FatalError, UsageError
from stream.replay_bounds import Asked, Span

VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A replay. ``number`` (random, in [0, 2**63)) tells it from all others, also of its name.

    ``table`` is the primary table of the topic, ``policy`` the hash of the redaction policy,
    ``asked`` the range in words, ``adopted`` when the topic was last adopted (as in the ledger),
    ``created_ms`` when the plan was made (milliseconds since 1970); ``from_lake`` says that stored
    rows are read instead of Kafka's records.
    """

    name: str
    number: int
    topic: str
    table: str
    policy: str
    audited: bool
    asked: str
    incarnation: Incarnation
    adopted: int | None
    spans: Sequence[Span]
    created_ms: int
    from_lake: bool = False

    @property
    def ends(self) -> dict[Source, int]:
        """Return where each partition's range ends."""
        return {Source(self.topic, span.partition): span.end for span in self.spans}

    @property
    def starts(self) -> dict[Source, int]:
        """Return where each partition's range begins."""
        return {Source(self.topic, span.partition): span.start for span in self.spans}

    @property
    def offsets(self) -> int:
        """Return how many offsets there are to be read."""
        return sum(span.offsets for span in self.spans)

    def same_task(self, other: "Plan") -> bool:
        """Tell whether another plan asks for the same."""
        mine = (self.topic, self.policy, self.asked, self.from_lake)
        return mine == (other.topic, other.policy, other.asked, other.from_lake)

    def to_bytes(self) -> bytes:
        """Return the plan as JSON."""
        body: dict[str, Any] = {
            "v": VERSION,
            "name": self.name,
            "number": self.number,
            "topic": self.topic,
            "table": self.table,
            "policy": self.policy,
            "audited": self.audited,
            "asked": self.asked,
            "incarnation": [self.incarnation.cluster_id, self.incarnation.topic_id],
            "adopted": self.adopted,
            "spans": [[s.partition, s.start, s.end, s.forgotten] for s in self.spans],
            "created_ms": self.created_ms,
            "from_lake": self.from_lake,
        }
        return json.dumps(body).encode()


def parse_plan(data: bytes, where: str) -> Plan:
    """Read a plan; FatalError, naming ``where``, if it is damaged or of a newer version."""
    try:
        body = json.loads(data)
        if body.pop("v") != VERSION:
            raise FatalError(f"{where}: this replay was begun by another version of goldpan")
        body["incarnation"] = Incarnation(*body["incarnation"])
        body["spans"] = [Span(*span) for span in body["spans"]]
        return Plan(**body)
    except (ValueError, KeyError, TypeError) as error:
        raise FatalError(f"{where} cannot be read ({type(error).__name__})") from None


def name_for(table: str, topic: str, asked: Asked, policy: str, *, from_lake: bool) -> str:
    """Return the name of a replay that was given none: the same task, the same name."""
    body = f"{topic}\n{asked}\n{policy}\n{from_lake}".encode()
    return f"{table}-{blake2b(body, digest_size=4).hexdigest()}"


def check_name(name: str) -> str:
    """Return a name that can be a folder's; UsageError otherwise."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a replay: small letters, digits, - and _, at most 64."
        )
    return name

"""Whatever way an id is written, and wherever: nothing of it is left, and all of others is."""

import json
import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from batch.erase.releases import ReleaseEraser
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.publish.build import publish_draft
from lake.tables import Lake
from lake.verify import verify_lake
from redact.crypto.signing import Signer
from schemas.record_batches import RawRecord, RejectedRecord
from schemas.records import Feedback, Message, MessageToolCall, Retrieved, ToolCall, Trace
from tests.batch.erase.test_erasure import opened
from tests.batch.erase.world import (
    EDIT,
    KEYS,
    erasure,
    flush,
    person,
    rows_of,
    say,
    set_aside,
)
from tests.batch.erase.writers import IDS, SEED, WRITERS
from tests.batch.kit import SCALES, Clock, desk, judge, open_lake, reconciled
from tests.batch.release.kit import drafted, open_repository
from tests.batch.release.people import WHOLE
from tests.edges.search import marks_in_folder
from tests.labels.kit import DAY, NOW, feedback, trace
from tests.lake.copies import init_lake

PHONE = "+49 30 901820"
PHONES = ("(030) 90-18-20", "tel:+4930901820", "0049 30/901820")
MAIL = next(one for one in IDS if "@" in one)

PLACES: dict[str, Callable[[str, str], Trace | Feedback]] = {
    "message": lambda n, t: trace(n, messages=say(t)),
    "answer": lambda n, t: trace(n, response=t),
    "error": lambda n, t: trace(n, error_message=t),
    "session": lambda n, t: trace(n, session_id=t),
    "attribute": lambda n, t: trace(n, attributes={"k": t}),
    "key of an attribute": lambda n, t: trace(n, attributes={t: "v"}),
    "segment": lambda n, t: trace(n, segments={"tier": t}),
    "document": lambda n, t: trace(n, retrieved=[Retrieved(document_id="d", text=t)]),
    "call of a tool": lambda n, t: trace(
        n, tool_calls=[ToolCall(id="c1", name="find", arguments=t, result="-")]
    ),
    "tool in a message": lambda n, t: trace(
        n,
        messages=[
            Message(
                role="assistant", tool_calls=[MessageToolCall(id="c1", name="find", arguments=t)]
            )
        ],
    ),
    "comment": lambda n, t: feedback(f"f-{n}", f"base-{n[-1]}", comment=t),
    "correction": lambda n, t: feedback(
        f"f-{n}", f"base-{n[-1]}", **dict[str, Any](EDIT), corrected_response=t
    ),
}


def records() -> Iterator[tuple[str, Trace | Feedback]]:
    """Yield every id in every way, and every way in every place, with the number of each."""
    chance, number = random.Random(SEED), count()  # noqa: S311 - no secret
    for way, write in WRITERS.items():
        drawn = [(one, chance.choice(list(PLACES))) for one in IDS]
        drawn += [(chance.choice(IDS), place) for place in PLACES]
        for one, place in drawn:
            name = f"gone-{next(number):04}"
            yield name, PLACES[place](name, f"{write(one)} {name}")
        other, place = chance.choice(IDS).replace("4711", "4712"), chance.choice(list(PLACES))
        name = f"stays-{next(number):04}"
        yield name, PLACES[place](name, f"{write(other.replace('ann.', 'anne.'))} {name}")
        del way


def rejected(start: int) -> Iterator[RejectedRecord]:
    """Yield records that are set aside: every id in every way in JSON, CSV, or an address."""
    frames = ('{{"comment": "{}", "n": "{}"}}', "t,1,{},{}\r\n", "POST /x?u={}&n={}")
    number = count(start)
    for way in WRITERS:
        for one in (*IDS, *PHONES, *(one.replace("4711", "4712") for one in IDS[:4])):
            name = "stays" if "4712" in one else "gone"
            text = frames[next(number) % 3].format(WRITERS[way](one), f"{name}-payload")
            raw = RawRecord(
                partition=0,
                offset=start,
                timestamp_ms=NOW // 1000,
                key=None,
                value=text.encode(),
            )
            start += 1
            yield RejectedRecord(
                topic="llm.traces",
                raw=raw,
                reason="not_json",
                field=None,
                detail="d",
                schema_id=None,
            )


def world(folder: Path) -> Lake:
    """Make the lake, a released version of it, and reviews."""
    lake = init_lake(open_lake(folder))
    made = [record for _, record in records()]
    traces = [trace(f"base-{n}", messages=say(f"stays {n}")) for n in range(10)]
    traces += [one for one in made if isinstance(one, Trace)]
    traces += [trace(f"own-gone-{n}", user_id=person(one)) for n, one in enumerate(IDS)]
    traces.append(trace("own-gone-mail", user_id=MAIL.upper()))
    for number, written in enumerate(PHONES):
        traces.append(trace(f"gone-phone-{number}", messages=say(f"Call {written} now")))
    flush(lake, traces)
    flush(lake, [one for one in made if isinstance(one, Feedback)])
    set_aside(lake, list(rejected(len(traces))))
    reconciled(lake, SCALES)
    reviewer = desk(lake)
    for number, handed in enumerate(reviewer.claim("ann", 6)):
        text = WRITERS[list(WRITERS)[number * 4]](IDS[number])
        judge(
            reviewer, handed.item.trace_id, "ann", "fail", comment=f"{text} gone-review", policy="p"
        )
    reconciled(lake, SCALES, clock=Clock(NOW + DAY))
    draft = drafted(lake, window={"from": "2026-11-01", "to": "2027-01-01"}, **WHOLE)
    publish_draft(draft, open_repository(folder / "releases"))
    return lake


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any], list[str]]:
    """The lake without them, the receipt, and the events of labels that went."""
    folder = tmp_path_factory.mktemp("everywhere") / "lake"
    world(folder)
    lake = open_lake(folder)
    before = {row["label_event_id"] for row in rows_of(lake, "labels")}
    assert marks_in_folder(folder, ["gone-"])
    releases = ReleaseEraser(
        open_repository(folder / "releases"), Signer(KEYS.receipt), lambda *_: None
    )
    ended = erasure(open_lake(folder), ids=frozenset((*IDS, PHONE)), releases=releases).run()
    assert ended.found_ids == frozenset((*IDS, PHONE))
    gone = sorted(before - {row["label_event_id"] for row in rows_of(lake, "labels")})
    return open_lake(folder), json.loads(ended.receipt), gone


def test_no_byte_is_left(erased: tuple[Lake, dict[str, Any], list[str]]) -> None:
    """In no file, unpacked too, and in no payload, in none of the ways."""
    lake, _, _ = erased
    folder = Path(lake.location.uri)
    ways = {write(one) for one in IDS for write in WRITERS.values()} | set(PHONES)
    words = ["gone-", *ways, *(person(one) for one in IDS)]
    assert marks_in_folder(folder, words) == []
    payloads = b"\n".join(opened(lake)).decode()
    assert [word for word in words if word in payloads] == []


def test_all_of_others_is_there(erased: tuple[Lake, dict[str, Any], list[str]]) -> None:
    """Rows, payloads and released rows of ids that differ in one sign, however they are written."""
    lake, _, _ = erased
    kept = [(name, one) for name, one in records() if name.startswith("stays")]
    there = {row["trace_id"] for row in rows_of(lake, "traces")}
    assert there == {n for n, one in kept if isinstance(one, Trace)} | {
        f"base-{n}" for n in range(10)
    }
    said = {row["feedback_id"] for row in rows_of(lake, "feedback")}
    assert said == {f"f-{name}" for name, one in kept if isinstance(one, Feedback)}
    assert len(opened(lake)) == 4 * len(WRITERS)
    releases = open_repository(Path(lake.location.uri) / "releases")
    for one in releases.versions("support"):
        released = read_release_rows(releases.find_file(one, DATA) or b"")["trace_id"].to_pylist()
        # The label of a base rested on what one of them had said.
        assert {n for n in there if n.startswith("stays")} <= set(released) <= there
    assert verify_lake(lake, deep=True).problems == []


def test_label_events_that_went_are_in_no_log(
    erased: tuple[Lake, dict[str, Any], list[str]],
) -> None:
    """Their ids are hashes over trace ids without a key; the log holds marks under the key."""
    lake, said, gone = erased
    assert len(gone) >= said["tables"]["labels"]["mentions"] > 10
    logs = b"".join(path.read_bytes() for path in Path(lake.location.uri).rglob("_delta_log/*"))
    assert [one for one in gone if one.encode() in logs] == []
    assert b"event_marks" in logs

"""Output of the replay commands, as text and as JSON."""

import dataclasses
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from goldpan.cli.formatting import format_count, format_quantity
from labels.difference import EventPair, LabelDifference
from schemas.records import LabelEvent
from schemas.times import from_millis
from stream.replay.diff import ReplayDifference
from stream.replay.plan import ReplayPlan
from stream.replay.repository import ReplayProgress
from stream.replay.samples import ChangedValue, find_changed_values

BEING_REMOVED: Final = "being removed"
VALUES_SHOWN: Final = 4
ROWS: Final = {
    "changed": "in the table before and after, with other values",
    "same": "in the table before and after, with the same values",
    "added": "move from quarantine to the table",
    "gone": "move from the table to quarantine",
    "aside": "in quarantine before and after",
    "kept": "unchanged: not read again",
    "withheld": "not promoted: in no live table",
}
"""The row counts of a diff, and their meaning."""
LABELS: Final = {
    "changed": "get another label event: other label, evidence, text or policy",
    "same": "keep the same label event",
    "added": "get a label event for the first time",
    "gone": "lose their label event",
}
"""The trace counts of a diff by their labels, and their meaning."""
_SHOWN: Final = ("label", "p_fail", "policy_version")


def plan_json(plan: ReplayPlan) -> dict[str, object]:
    """Return a plan as JSON."""
    return {
        "name": plan.name,
        "topic": plan.topic,
        "asked": plan.range_text,
        "policy": plan.policy or None,
        "label_policy": plan.label_policy,
        "labels_only": plan.labels_only,
        "partitions": [
            {"partition": s.partition, "from": s.start, "to": s.end, "forgotten": s.forgotten}
            for s in plan.spans
        ],
        "unread": plan.unread,
    }


def policies_of(plan: ReplayPlan) -> str:
    """Return the policies of a plan as text."""
    policies = [] if plan.labels_only else [f"policy {plan.policy}"]
    if plan.label_policy is not None:
        policies.append(f"label policy {plan.label_policy}")
    return ", ".join(policies)


def show_replayed(console: Console, plan: ReplayPlan) -> None:
    """Print what was staged."""
    for span in plan.spans:
        console.print(f"{plan.topic}/{span.partition}: {span.start} to {span.end}", soft_wrap=True)
    forgotten = sum(span.forgotten for span in plan.spans)
    if forgotten:
        console.print(
            f"Kafka has deleted {format_count(forgotten)} of the requested offsets: their rows do "
            "not change",
            soft_wrap=True,
        )
    if plan.unread:
        console.print(
            f"{format_quantity(plan.unread, 'requested offset')} not stored when the replay was "
            "planned: not part of it, since the worker stores them under its own policy",
            soft_wrap=True,
        )
    console.print(f"staged as {plan.name}; next: goldpan replay diff {plan.name}", soft_wrap=True)


def progress_json(name: str, progress: ReplayProgress | None) -> dict[str, Any]:
    """Return the progress of a replay as JSON."""
    if progress is None:
        return {"name": name, "state": BEING_REMOVED}
    return plan_json(progress.plan) | {
        "state": str(progress.state),
        "read": progress.read,
        "offsets": progress.plan.offsets,
        "created": from_millis(progress.plan.created_ms).isoformat(),
    }


def show_list(console: Console, data: list[dict[str, Any]]) -> None:
    """Print a table of the replays, from the results of `progress_json`."""
    if not data:
        console.print("there are no replays")
        return
    columns = ("name", "state", "read", "topic", "range", "policy", "label policy")
    table = Table(*columns, box=box.SIMPLE_HEAD)
    for replay in data:
        if replay["state"] == BEING_REMOVED:
            table.add_row(replay["name"], BEING_REMOVED, *[""] * 5)
            continue
        read = f"{format_count(replay['read'])} of {format_count(replay['offsets'])}"
        cells = [replay["name"], replay["state"], read, replay["topic"], replay["asked"]]
        table.add_row(*cells, replay["policy"] or "", replay["label_policy"] or "")
    console.print(table)


def diff_json(diff: ReplayDifference) -> dict[str, Any]:
    """Return a difference of rows as JSON."""
    types = sorted({*diff.before, *diff.after})
    return {
        "differs": diff.differs,
        "rows": {name: getattr(diff, name) for name in ROWS},
        "columns": dict(diff.columns.most_common()),
        "findings": {t: {"before": diff.before[t], "after": diff.after[t]} for t in types},
        "rows_without_audit": diff.unaudited,
        "samples": [dataclasses.asdict(sample) for sample in diff.samples],
    }


def show_diff(console: Console, diff: ReplayDifference) -> None:
    """Print a difference of rows."""
    _show_counts(console, "rows", {meaning: getattr(diff, name) for name, meaning in ROWS.items()})
    if diff.columns:
        table = Table("column", "rows that change", box=box.SIMPLE_HEAD)
        for column, count in diff.columns.most_common():
            table.add_row(column, format_count(count))
        console.print(table)
    if diff.before or diff.after:
        table = Table("findings", "before", "after", box=box.SIMPLE_HEAD)
        for kind in sorted({*diff.before, *diff.after}):
            table.add_row(kind, format_count(diff.before[kind]), format_count(diff.after[kind]))
        console.print(table)
    if diff.unaudited:
        rows = format_quantity(diff.unaudited, "live row")
        console.print(
            f"{rows} without audit, so their earlier findings are unknown", soft_wrap=True
        )
    for sample in diff.samples:
        console.print(f"partition {sample.partition}, offset {sample.offset}")
        _show_values(console, sample.values[:VALUES_SHOWN])


def labels_json(diff: LabelDifference, policy: str | None) -> dict[str, Any]:
    """Return a difference of labels as JSON; texts are masked as in rows."""
    return {
        "label_policy": policy,
        "differs": diff.differs,
        **diff.to_json(),
        "samples": [
            {
                "trace_id": pair.trace_id,
                "before": _event_json(pair.before),
                "after": _event_json(pair.after),
                "expected_response": [dataclasses.asdict(value) for value in _changed_texts(pair)],
            }
            for pair in diff.samples
        ],
    }


def show_labels(console: Console, diff: LabelDifference, policy: str | None) -> None:
    """Print a difference of labels."""
    console.print(f"labels under {policy}", soft_wrap=True)
    _show_counts(
        console, "traces", {meaning: getattr(diff, name) for name, meaning in LABELS.items()}
    )
    data = diff.to_json()
    if diff.differs:
        table = Table("changed in the label", "traces", box=box.SIMPLE_HEAD)
        for change, count in data["changes"].items():
            table.add_row(change, format_count(count))
        console.print(table)
    if data["confusion"]:
        table = Table("label before", "after", "traces", box=box.SIMPLE_HEAD)
        for row in data["confusion"]:
            table.add_row(row["before"], row["after"], format_count(row["traces"]))
        console.print(table)
        table = Table("p_fail", "before", "after", box=box.SIMPLE_HEAD)
        for band, row in data["p_fail"].items():
            table.add_row(band, format_count(row["before"]), format_count(row["after"]))
        console.print(table)
    for pair in diff.samples:
        console.print(f"trace {pair.trace_id}", markup=False, soft_wrap=True)
        console.print(f"  - {_event_text(pair.before)}", markup=False, soft_wrap=True)
        console.print(f"  + {_event_text(pair.after)}", markup=False, soft_wrap=True)
        _show_values(console, list(_changed_texts(pair)))


def _show_counts(console: Console, unit: str, counts: dict[str, int]) -> None:
    table = Table(unit, "meaning", box=box.SIMPLE_HEAD)
    for meaning, count in counts.items():
        table.add_row(format_count(count), meaning)
    console.print(table)


def _show_values(console: Console, values: Any) -> None:
    for value in values:
        console.print(f"  {value.path}", markup=False, soft_wrap=True)
        console.print(f"  - {value.before}", markup=False, soft_wrap=True)
        console.print(f"  + {value.after}", markup=False, soft_wrap=True)


def _changed_texts(pair: EventPair) -> list[ChangedValue]:
    before, after = (event and event.expected_response for event in (pair.before, pair.after))
    return list(find_changed_values("expected_response", before, after))


def _event_json(event: LabelEvent | None) -> dict[str, Any] | None:
    return None if event is None else {name: getattr(event, name) for name in _SHOWN}


def _event_text(event: LabelEvent | None) -> str:
    if event is None:
        return "no label"
    return f"{event.label}, p_fail {event.p_fail:.3f}, {event.policy_version}"

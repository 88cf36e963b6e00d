"""What the commands about replays answer: plans, progress, differences, for people and machines."""

import dataclasses
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from goldpan.cli.formatting import format_count
from labels.difference import EventPair, LabelDifference
from schemas.records import LabelEvent
from stream.replay.diff import ReplayDifference
from stream.replay.plan import ReplayPlan
from stream.replay.repository import ReplayProgress
from stream.replay.samples import ChangedValue, find_changed_values

BEING_REMOVED: Final = "being removed"
VALUES_SHOWN: Final = 4
ROWS: Final = {
    "changed": "in the table before and after, with other values",
    "same": "in the table before and after, with the same values",
    "added": "come out of quarantine",
    "gone": "go to quarantine",
    "aside": "in quarantine before and after",
    "kept": "stay as they are: not read again",
    "withheld": "not brought in: in no live table",
}
"""The rows that a diff counts, and what each number means."""
LABELS: Final = {
    "changed": "have another label event: another decision, evidence, text or policy",
    "same": "have the same label event",
    "added": "have one for the first time",
    "gone": "have none any more",
}
"""The traces that a diff counts by their labels, and what each number means."""
_SHOWN: Final = ("label", "p_fail", "policy_version")


def plan_json(plan: ReplayPlan) -> dict[str, object]:
    """Return a plan for machines."""
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
    """Return the policies of a plan in words."""
    told = [] if plan.labels_only else [f"policy {plan.policy}"]
    if plan.label_policy is not None:
        told.append(f"label policy {plan.label_policy}")
    return ", ".join(told)


def show_replayed(console: Console, plan: ReplayPlan) -> None:
    """Tell what has been staged."""
    for span in plan.spans:
        console.print(f"{plan.topic}/{span.partition}: {span.start} to {span.end}", soft_wrap=True)
    forgotten = sum(span.forgotten for span in plan.spans)
    if forgotten:
        console.print(
            f"Kafka has deleted {format_count(forgotten)} of the offsets that were asked for: their "
            "rows stay as they are",
            soft_wrap=True,
        )
    if plan.unread:
        console.print(
            f"{format_count(plan.unread)} of the offsets that were asked for had not been stored "
            "when this was planned: the worker brings them in under its own policy, and they are "
            "no part of this replay",
            soft_wrap=True,
        )
    console.print(f"staged as {plan.name}: goldpan replay diff {plan.name}", soft_wrap=True)


def progress_json(name: str, progress: ReplayProgress | None) -> dict[str, Any]:
    """Return how far a replay has come, for machines."""
    if progress is None:
        return {"name": name, "state": BEING_REMOVED}
    return plan_json(progress.plan) | {
        "state": str(progress.state),
        "read": progress.read,
        "offsets": progress.plan.offsets,
        "created": datetime.fromtimestamp(progress.plan.created_ms / 1000, UTC).isoformat(),
    }


def show_list(console: Console, data: list[dict[str, Any]]) -> None:
    """Show what `progress_json` gave of each replay."""
    if not data:
        console.print("there are no replays")
        return
    columns = ("name", "state", "read", "topic", "range", "policy", "label policy")
    table = Table(*columns, box=box.SIMPLE_HEAD)
    for one in data:
        if one["state"] == BEING_REMOVED:
            table.add_row(one["name"], BEING_REMOVED, *[""] * 5)
            continue
        read = f"{format_count(one['read'])} of {format_count(one['offsets'])}"
        told = [one["name"], one["state"], read, one["topic"], one["asked"]]
        table.add_row(*told, one["policy"] or "", one["label_policy"] or "")
    console.print(table)


def diff_json(found: ReplayDifference) -> dict[str, Any]:
    """Return a difference of rows for machines."""
    types = sorted({*found.before, *found.after})
    return {
        "differs": found.differs,
        "rows": {name: getattr(found, name) for name in ROWS},
        "columns": dict(found.columns.most_common()),
        "findings": {t: {"before": found.before[t], "after": found.after[t]} for t in types},
        "rows_without_audit": found.untold,
        "samples": [dataclasses.asdict(sample) for sample in found.samples],
    }


def show_diff(console: Console, found: ReplayDifference) -> None:
    """Show a difference of rows."""
    _show_counts(console, "rows", {m: getattr(found, name) for name, m in ROWS.items()})
    if found.columns:
        table = Table("column", "rows that change", box=box.SIMPLE_HEAD)
        for column, count in found.columns.most_common():
            table.add_row(column, format_count(count))
        console.print(table)
    if found.before or found.after:
        table = Table("findings", "before", "after", box=box.SIMPLE_HEAD)
        for kind in sorted({*found.before, *found.after}):
            table.add_row(kind, format_count(found.before[kind]), format_count(found.after[kind]))
        console.print(table)
    if found.untold:
        told = f"no audit tells what was found in {format_count(found.untold)} live rows"
        console.print(told, soft_wrap=True)
    for sample in found.samples:
        console.print(f"partition {sample.partition}, offset {sample.offset}")
        _show_values(console, sample.values[:VALUES_SHOWN])


def labels_json(found: LabelDifference, policy: str | None) -> dict[str, Any]:
    """Return a difference of labels for machines; texts are shown as those of rows are."""
    return {
        "label_policy": policy,
        "differs": found.differs,
        **found.to_json(),
        "samples": [
            {
                "trace_id": both.trace_id,
                "before": _event_json(both.before),
                "after": _event_json(both.after),
                "expected_response": [dataclasses.asdict(value) for value in _texts(both)],
            }
            for both in found.samples
        ],
    }


def show_labels(console: Console, found: LabelDifference, policy: str | None) -> None:
    """Show a difference of labels."""
    console.print(f"labels under {policy}", soft_wrap=True)
    _show_counts(console, "traces", {m: getattr(found, name) for name, m in LABELS.items()})
    told = found.to_json()
    if found.differs:
        table = Table("what changes of a label", "traces", box=box.SIMPLE_HEAD)
        for what, count in told["changes"].items():
            table.add_row(what, format_count(count))
        console.print(table)
    if told["confusion"]:
        table = Table("label before", "after", "traces", box=box.SIMPLE_HEAD)
        for row in told["confusion"]:
            table.add_row(row["before"], row["after"], format_count(row["traces"]))
        console.print(table)
        table = Table("p_fail", "before", "after", box=box.SIMPLE_HEAD)
        for band, row in told["p_fail"].items():
            table.add_row(band, format_count(row["before"]), format_count(row["after"]))
        console.print(table)
    for both in found.samples:
        console.print(f"trace {both.trace_id}", markup=False, soft_wrap=True)
        console.print(f"  - {_event_text(both.before)}", markup=False, soft_wrap=True)
        console.print(f"  + {_event_text(both.after)}", markup=False, soft_wrap=True)
        _show_values(console, list(_texts(both)))


def _show_counts(console: Console, what: str, counts: dict[str, int]) -> None:
    table = Table(what, "", box=box.SIMPLE_HEAD)
    for meaning, count in counts.items():
        table.add_row(format_count(count), meaning)
    console.print(table)


def _show_values(console: Console, values: Any) -> None:
    for value in values:
        console.print(f"  {value.path}", markup=False, soft_wrap=True)
        console.print(f"  - {value.before}", markup=False, soft_wrap=True)
        console.print(f"  + {value.after}", markup=False, soft_wrap=True)


def _texts(both: EventPair) -> list[ChangedValue]:
    before, after = (event and event.expected_response for event in (both.before, both.after))
    return list(find_changed_values("expected_response", before, after))


def _event_json(event: LabelEvent | None) -> dict[str, Any] | None:
    return None if event is None else {name: getattr(event, name) for name in _SHOWN}


def _event_text(event: LabelEvent | None) -> str:
    if event is None:
        return "no label"
    return f"{event.label}, p_fail {event.p_fail:.3f}, {event.policy_version}"

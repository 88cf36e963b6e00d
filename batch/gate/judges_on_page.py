"""What a report says of judges, and of the ways in which answers fail."""

from collections.abc import Iterator, Mapping
from typing import Any

from batch.gate.gate_run import GateRun
from batch.release.pages.markup import Block, Grid, Heading, Text, format_share
from judges.gate.readings import BASELINE, CANDIDATE

_NO_NUMBERS = 99


def judge_blocks(run: GateRun) -> list[Block]:
    """Return a card a judged metric: who judged, and how far that agrees with reviewers."""
    if not run.judge_cards:
        return _named_judges(run)
    blocks: list[Block] = [Heading("Judges")]
    for card in run.judge_cards:
        lines = [*_facts(card), *_agreement(card.get("agreement"))]
        blocks.append(Grid((str(card["metric"]), ""), [list(line) for line in lines], _NO_NUMBERS))
    return blocks


def mode_blocks(run: GateRun) -> list[Block]:
    """Return how often the candidate and the baseline fail in which way, as judges say."""
    if not run.failure_modes:
        return []
    sides: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for each in run.failure_modes:
        key = (str(each["metric"]), str(each["mode"] or "none named"))
        sides.setdefault(key, {})[str(each["side"])] = each
    rows = [
        [metric, mode.replace("_", " "), _share(found.get(CANDIDATE)), _share(found.get(BASELINE))]
        for (metric, mode), found in sides.items()
    ]
    return [
        Heading("How answers fail"),
        Grid(("metric", "failure mode", "candidate", "baseline"), rows, 2),
        Text("Shares of the rows with a verdict, each with its bounds of 95 %."),
    ]


def _named_judges(run: GateRun) -> list[Block]:
    """Return the judges of a run without cards: one of an earlier version of goldpan."""
    named = [
        f"{read} of the {side}: {judge}"
        for side, names in run.judges.items()
        for read, judge in names.items()
    ]
    return [Heading("Judges"), *map(Text, named)] if named else []


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    judge, before = card["judge"], card["judge_of_baseline"]
    yield "judge", judge or "not named"
    if before is not None and before != judge:
        yield "judge of the baseline", before
    if card.get("way") is not None:
        yield "way", str(card["way"])
    if card.get("model") is not None:
        yield "model", str(card["model"])
    for epoch, models in (card.get("served") or {}).items():
        yield f"served in epoch {epoch}", ", ".join(models) or "not said"
    if card.get("cost_usd") is not None and card.get("judged"):
        cost = card["cost_usd"] / card["judged"]
        yield "cost", f"${cost:.6f} a row, over {card['judged']:,} rows"
    flips = card.get("flips")
    if flips is not None:
        yield "contradicts itself", _flips(flips)


def _flips(flips: Mapping[str, Any]) -> str:
    if not flips["rows"]:
        return "not known: no row was judged twice"
    return f"{_interval(flips['flips'])} of the rows judged again, of {flips['rows']:,}"


def _agreement(found: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if found is None:
        yield "agreement", "not known: no reviews of these answers"
        return
    yield "agreement", f"{_interval(found['agreement'])}, {found['reviews']:,} reviews"
    if found["ac1"] is not None:
        ac1 = found["ac1"]
        yield (
            "AC1 (Gwet)",
            f"{ac1['estimate']:.2f} ({_number(ac1['low'])} to {_number(ac1['high'])})",
        )
    yield "bad answers that it fails", _interval(found["sensitivity"])
    yield "good answers that it passes", _interval(found["specificity"])
    worth = found["worth_in_reviews"]
    if worth is not None:
        yield (
            f"worth of {worth['reviews']} reviews with it",
            f"{worth['estimate']:.0f} without ({worth['low']:.0f} to {worth['high']:.0f})",
        )


def _share(found: Mapping[str, Any] | None) -> str:
    return "-" if found is None else f"{found['rows']:,} rows, {_interval(found)}"


def _interval(share: Mapping[str, Any]) -> str:
    if share["estimate"] is None:
        return "no such row"
    return (
        f"{format_share(share['estimate'])} "
        f"({format_share(share['low'])} to {format_share(share['high'])})"
    )


def _number(value: float | None) -> str:
    return "no limit" if value is None else f"{value:.2f}"

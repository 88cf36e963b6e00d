"""Output of the demo's last part: a golden set, and what the gate says of two candidates."""

import dataclasses
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from batch.gate.gate_words import plain_text
from goldpan.demo.gated_release import GateLook, GateOutcome

_WHAT_THEY_ARE: Final = (
    "Two candidates, made of the four recorded runs of each task, which are real:",
    "  careful   takes a run that was right, where there is one",
    "  generous  takes one that was wrong, and sends customers whom the airline's",
    "            policy gives nothing a certificate of $100 (that call is made up)",
)


def gate_outcome_json(outcome: GateOutcome) -> dict[str, Any]:
    """Return the golden set and the candidates as JSON."""
    return dataclasses.asdict(outcome)


def show_gate_outcome(console: Console, outcome: GateOutcome) -> None:
    """Print what the golden set holds, and both looks at each candidate."""
    golden_set = outcome.golden_set
    labels = " and ".join(f"{n} {label}" for label, n in golden_set.labels.items())
    console.print(f"{golden_set.name} holds {golden_set.rows} traces of the month, {labels}.")
    for line in _WHAT_THEY_ARE:
        console.print(line, markup=False)
    few, many = (look.reviews for look in outcome.candidates[0].looks)
    console.print(
        f"Simulated reviewers, who know how each run ended, see {few} answers, then {many}."
    )
    console.print(
        f"The gate asks: would reviewers find at least {outcome.bar:.0%} of the tasks done?"
    )
    table = Table("candidate", "reviews", "tasks done", "95 % interval", "", box=box.SIMPLE_HEAD)
    for column in table.columns[1:3]:
        column.justify = "right"
    for candidate in outcome.candidates:
        for at, look in enumerate(candidate.looks):
            table.add_row("" if at else candidate.name, *_look_cells(look))
    console.print(table)
    console.print("Rows of one customer belong together, so the intervals are wide.")
    console.print(_missing_text(outcome))


def _look_cells(look: GateLook) -> tuple[str, ...]:
    decision = plain_text(look.decision)
    if look.estimate is None or look.low is None or look.high is None:
        return str(look.reviews), "", "", decision
    interval = f"{look.low:.1%} to {look.high:.1%}"
    return str(look.reviews), f"{look.estimate:.1%}", interval, decision


def _missing_text(outcome: GateOutcome) -> str:
    """Return a sentence with what was missing at the first looks."""
    missing = ", ".join(
        f"{each.name} {each.looks[0].missing_reviews}" for each in outcome.candidates
    )
    return f"Missing reviews, as the first look guessed: {missing}."


def show_gate_files(console: Console, outcome: GateOutcome, folder: str) -> None:
    """Print where the files are that the reader may want to open."""
    names = [
        ("the golden set's datasheet", outcome.golden_set.datasheet),
        *((f"the gate's report on {each.name}", each.report) for each in outcome.candidates),
        ("the gate", "gate.yaml"),
    ]
    for what, name in names:
        console.print(f"  {what}: {folder}/{name}", soft_wrap=True, markup=False)

"""Measures cost and benefit of letting the model for names read more of a record.

    python -m benchmarks.names_read --sentences FILE --conversations FOLDER [--records 4000]

Prints a line for each step of the policy's `names.read`. It has the CPU time of redaction and audit
on varied traffic (`benchmarks.varied_traffic`; all steps in turn, the median of so many rounds). It
has the share of the known names in real conversations that are redacted, by writer
(`benchmarks.redaction_quality` has the data). And it has the share of all values in labelled
sentences that are redacted, if as many of these sentences occur in each place that a step can
read.
"""

import gc
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

import click

from benchmarks.redaction_costs import KEYS, NOW, audit_all, audited, batches, timed
from benchmarks.redaction_quality import held_out, of_lines
from benchmarks.varied_traffic import endless
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy, load_policy
from redact.policies.writers import WRITERS, Writer
from schemas.columns import record_batch
from stream.memory import COLLECTOR_THRESHOLD
from tests.redact.leaks import conversations, measure

STEPS: Final[Sequence[tuple[str, Sequence[Writer]]]] = (
    ("nothing", ()),
    ("`user`", ("user",)),
    ("and `assistant`", ("user", "assistant")),
    ("and `tool`, `retrieved`", ("user", "assistant", "tool", "retrieved")),
    ("all (the default)", WRITERS),
)
_HELD_OUT: Final = 2
_WARM: Final = 1_000
_PLACES: Final = ("user", "assistant", "tool")


def reading(writers: Sequence[Writer]) -> RedactionPolicy:
    """Return the default policy with a model that reads the texts of some writers."""
    strict = load_policy("strict")
    names = strict.names.model_copy(
        update={"read": list(writers), **({} if writers else {"model": "none"})}
    )
    return strict.model_copy(update={"names": names})


def cost(policy: RedactionPolicy, records: int) -> float:
    """Return the CPU-seconds a million that redaction and audit add to varied records."""
    redactor = PolicyRedactor(policy, KEYS, audit=True)
    traffic = endless()
    for batch in batches(list(islice(traffic, _WARM))):
        audited(redactor, batch)
    work = batches(list(islice(traffic, records)))
    gc.freeze()
    columns = timed(lambda: [record_batch(b.kind, b, ingested_at=NOW, policy="p") for b in work])
    spent = timed(lambda: audit_all(redactor, work))
    return (spent - columns) / records * 1e6


def names_gone(policy: RedactionPolicy, folder: Path) -> list[float]:
    """Return the share of known names that is gone in texts of users, assistants and tools."""
    subjects = json.loads((folder / "subjects.json").read_text(encoding="utf-8"))
    found = measure(PolicyRedactor(policy, KEYS), conversations(folder, _HELD_OUT), subjects)
    return [found.covered("NAME", place) for place in _PLACES]


def of_sentences(sentences: Path) -> tuple[float, float]:
    """Return the share of labelled values that is gone where the model reads, and elsewhere."""
    lines = held_out(sentences)
    shares = [
        of_lines(reading(writers), "", "", lines)["overall"]["coverage"]
        for writers in (WRITERS, ())
    ]
    return shares[0], shares[1]


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--conversations", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--records", default=2_500, show_default=True, help="Varied records a round.")
@click.option("--rounds", default=3, show_default=True)
def main(sentences: Path, folder: Path | None, records: int, rounds: int) -> None:
    """Print the table of docs/redaction.md."""
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)  # as in the worker
    spent: dict[str, list[float]] = {name: [] for name, _ in STEPS}
    for _ in range(rounds):
        for name, writers in STEPS:
            spent[name].append(cost(reading(writers), records))
    read, unread = of_sentences(sentences)
    click.echo(f"labelled values gone: {read:.1%} where the model reads, {unread:.1%} elsewhere")
    for name, writers in STEPS:
        share = unread + (read - unread) * len(writers) / len(WRITERS)
        gone = names_gone(reading(writers), folder) if folder else []
        cells = [name, f"{median(spent[name]):.0f}", *(f"{one:.1%}" for one in (*gone, share))]
        click.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

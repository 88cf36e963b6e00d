"""Measures what each model for names costs: the CPU of redaction and audit on varied traffic.

    python -m benchmarks.names_models [--records 2500] [--rounds 3]

The models take turns; printed is the median of the rounds, in CPU-seconds a million records.
Quality is measured by `python -m benchmarks.ner_quality --model NAME`.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import click

from benchmarks.names_read import cost
from redact.ner.model_format import SHIPPED, SHIPPED_LARGE
from redact.policies.policy import load_policy

MODELS: Final[Sequence[str]] = ("none", SHIPPED, SHIPPED_LARGE)


@click.command()
@click.option("--records", default=2_500, show_default=True, help="Varied records a round.")
@click.option("--rounds", default=3, show_default=True)
def main(records: int, rounds: int) -> None:
    """Print the cost of redaction with each model."""
    strict = load_policy("strict")
    policies = {
        model: strict.model_copy(update={"names": strict.names.model_copy(update={"model": model})})
        for model in MODELS
    }
    spent: dict[str, list[float]] = {model: [] for model in MODELS}
    for _ in range(rounds):
        for model, policy in policies.items():
            spent[model].append(cost(policy, records))
    click.echo("| model | CPU-seconds a million |\n|---|---|")
    for model in MODELS:
        click.echo(f"| `{model}` | {median(spent[model]):.0f} |")


if __name__ == "__main__":
    main()

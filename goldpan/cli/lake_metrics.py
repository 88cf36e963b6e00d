"""``goldpan lake metrics``: tables, releases and drift, for Prometheus."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.gauges import Values, as_prometheus, state
from goldpan import releases, wiring
from goldpan.cli.call import Call, with_call
from goldpan.cli.textfile import told_as_metrics, with_textfile
from lake.tables import Lake


@click.command()
@click.option("--prometheus", is_flag=True, help="As metrics, in the text format of Prometheus.")
@with_textfile
@with_call
def metrics(call: Call, *, prometheus: bool, textfile: Path | None) -> None:
    """Tell how large the tables are, how old releases are, and what has drifted.

    What workers do is in their own metrics; see docs/metrics.md. Drift is that of the newest
    `goldpan drift --keep`.

    \b
    Example:
      goldpan lake metrics --textfile /var/lib/node_exporter/goldpan-lake.prom
    """
    now = wiring.now()
    lake, shelf = Lake(call.settings.lake), releases.shelf(call.settings)
    found = releases.patience().call("looking at the lake", lambda: state(lake, shelf, now))
    make = partial(as_prometheus, found)
    if not told_as_metrics(call, make, prometheus=prometheus, textfile=textfile):
        call.answer(found, lambda console: _show(console, found))


def _show(console: Console, found: Mapping[str, Values]) -> None:
    table = Table("metric", "of", "value", box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    for name, values in found.items():
        for label, value in values.items():
            table.add_row(name, label, f"{value:,.10g}".replace(",", " "))
    console.print(table)

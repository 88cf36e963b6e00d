"""``goldpan lake metrics``: metrics of tables, releases and drift for Prometheus."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.lake_metrics import GaugeValues, measure_lake, render_lake_metrics
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.metrics_file import with_textfile, write_metrics
from lake.tables import Lake


@click.command()
@click.option("--prometheus", is_flag=True, help="Print in the Prometheus text format.")
@with_textfile
@with_cli_context
def metrics(cli: CliContext, *, prometheus: bool, textfile: Path | None) -> None:
    """Print metrics: size of the tables, age of the releases, drift.

    Workers serve metrics of their own; see docs/metrics.md. Drift is that of the latest
    `goldpan drift --keep`.

    \b
    Example:
      goldpan lake metrics --textfile /var/lib/node_exporter/goldpan-lake.prom
    """
    now = wiring.utc_now()
    lake, releases = Lake(cli.settings.lake), release_setup.open_releases(cli.settings)
    gauges = release_setup.release_retry().call(
        "reading the lake", lambda: measure_lake(lake, releases, now)
    )
    render = partial(render_lake_metrics, gauges)
    if not write_metrics(cli, render, prometheus=prometheus, textfile=textfile):
        cli.answer(gauges, lambda console: _show(console, gauges))


def _show(console: Console, gauges: Mapping[str, GaugeValues]) -> None:
    table = Table("metric", "of", "value", box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    for name, values in gauges.items():
        for label, value in values.items():
            table.add_row(name, label, f"{value:,.10g}")
    console.print(table)

"""The options that choose the engine of a job that reads the lake: DuckDB here, or Spark."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from batch.engines.spark_lake import SparkAddress
from batch.progress import ReportStep, no_step
from goldpan import wiring
from goldpan.cli.context import CliContext
from goldpan.cli.plain_console import PlainConsole
from schemas.errors import UsageError
from schemas.text_files import read_text_file

DUCKDB: Final = "duckdb"
SPARK: Final = "spark"
_LONGEST_TOKEN: Final = 7_000
"""The headers of a call, which hold the token, have 8 KiB at most on a Spark Connect server."""
_OPTIONS: Final = (
    click.option(
        "--engine",
        type=click.Choice([DUCKDB, SPARK]),
        default=DUCKDB,
        show_default=True,
        help="Where queries run: in this process, or on a Spark Connect server.",
    ),
    click.option("--engine-url", metavar="sc://HOST:PORT", help="Address of the Spark server."),
    click.option(
        "--engine-token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the token that the Spark server wants.",
    ),
    click.option(
        "--engine-lake", metavar="URI", help="The lake as the Spark server sees it, if elsewhere."
    ),
)


def with_engine_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options, and pass a command ``spark``: its `SparkAddress`, None for DuckDB."""

    @functools.wraps(function)
    def command(
        *arguments: Any,
        engine: str,
        engine_url: str | None,
        engine_token_file: Path | None,
        engine_lake: str | None,
        **others: Any,
    ) -> None:
        spark = _spark_address(engine, engine_url, engine_token_file, engine_lake)
        function(*arguments, spark=spark, **others)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def engine_name(spark: SparkAddress | None) -> str:
    """Return the name of an engine."""
    return DUCKDB if spark is None else SPARK


def log_engine(cli: CliContext, job: str, spark: SparkAddress | None) -> None:
    """Log which engine a job runs on, unless a person is watching, who has just typed it."""
    if not cli.watched:
        wiring.get_logger().info("engine_chosen", job=job, engine=engine_name(spark))


@contextmanager
def shown_steps(cli: CliContext, first: str) -> Iterator[ReportStep]:
    """Yield what shows the steps of a job; nothing is shown unless a person is watching."""
    if not cli.watched:
        yield no_step
        return
    with PlainConsole(stderr=True).status(first) as status:
        yield status.update


def _spark_address(
    engine: str, url: str | None, token_file: Path | None, lake_uri: str | None
) -> SparkAddress | None:
    if engine == DUCKDB:
        if any(option is not None for option in (url, token_file, lake_uri)):
            raise UsageError(
                "--engine-url, --engine-token-file and --engine-lake are for --engine spark"
            )
        return None
    if not url:
        raise UsageError("--engine spark needs --engine-url: sc://HOST:PORT")
    if lake_uri is not None and not lake_uri.strip("/ "):
        raise UsageError(f"--engine-lake {lake_uri!r} is the address of no lake")
    token = None
    if token_file is not None:
        token = read_text_file(token_file, f"The token {token_file}").strip()
        if len(token) > _LONGEST_TOKEN:
            raise UsageError(
                f"--engine-token-file: {token_file} is too long for a token, which has "
                f"{_LONGEST_TOKEN} characters at most"
            )
    return SparkAddress(url, token, lake_uri)

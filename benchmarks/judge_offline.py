"""Measures how many traces a second are judged without a server, on one core.

python -m benchmarks.judge_offline [--seconds 5]

The traces are all calls of the shipped conversations, each with its whole history. Counted are rows
from the columns of a table to an outcome: reading the row, the digest of what is looked at, and the
check or the local model. *question* is what a server is asked: reading, rendering, digest, fence.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from goldpan.demo.traffic import load_shipped_conversations, make_traces
from judges.definition import JudgeDefinition, parse_judge
from judges.judged_row import judged_row_of
from judges.offline import answer_offline
from judges.render import ask
from judges.ways import CHECK_NAMES, CheckWay, LocalWay

_ANY_TIME = 1_000_000_000_000_000
_JUDGE = "judge: {name}\nversion: 1\nasks: The task was done.\nreads: [conversation, question]\n"


def traces() -> list[Mapping[str, Any]]:
    """Return one trace for each call of the conversations."""
    return [
        trace
        for conversation in load_shipped_conversations()
        for trace in make_traces(conversation, started_at=_ANY_TIME)
    ]


def judge_by(way: str) -> JudgeDefinition:
    """Return a judge that is answered by one way."""
    return parse_judge(f"{_JUDGE.format(name='task_success')}by: [{way}]\n", "judge.yaml")


def rate(judge_row: Callable[[Mapping[str, Any]], object], seconds: float) -> float:
    """Return how many rows a second of CPU time are judged."""
    rows, done, start = traces(), 0, time.process_time()
    while time.process_time() - start < seconds:
        for row in rows:
            judge_row(row)
        done += len(rows)
    return done / (time.process_time() - start)


@click.command()
@click.option("--seconds", default=5.0, show_default=True)
def main(seconds: float) -> None:
    """Print one line for each check, the local model, and the question to a server."""
    for way in ("{local: task_success}", *(f"{{check: {name}}}" for name in CHECK_NAMES)):
        judge = judge_by(way)
        own = judge.by[0]
        assert isinstance(own, LocalWay | CheckWay)

        def offline(row: Mapping[str, Any], j: JudgeDefinition = judge, w: Any = own) -> object:
            return answer_offline(j, w, judged_row_of(row))

        click.echo(f"{own.kind} {own.model:<16}{rate(offline, seconds):8,.0f} traces/s")
    asking = judge_by("{chat: m1}")
    asked = rate(lambda row: ask(asking, judged_row_of(row)), seconds)
    click.echo(f"{'question':<22}{asked:8,.0f} traces/s")


if __name__ == "__main__":
    main()

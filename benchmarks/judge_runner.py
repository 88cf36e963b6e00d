"""Measures a judge's runner over a lake: CPU time for each judgement, and memory as they grow.

python -m benchmarks.judge_runner [--traces 100000]
python -m benchmarks.judge_runner --short --folder FOLDER --way check --traces 1000000

*check* judges traces by a check, *chat* by a server that answers at once, without a network: what
is left is the runner's own work. Each is run twice; the second run finds everything judged. With
``--folder`` the lake stays there, and there is one run over all traces: a million can be judged by
several commands, of which each finds judged what those before it have judged. With ``--short`` a
trace is one question with its answer, instead of a whole conversation. Memory is the peak of the
whole process after each step, estimates included.
"""

import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import click

from batch.judge.client import Delivery
from batch.judge.judge_plan import JudgePlan
from batch.judge.judgement_store import JudgementStore
from batch.judge.known_judgements import KnownJudgements
from batch.judge.runner import JudgeRunner, RunTerms
from batch.judge.subjects import JudgeSubject
from goldpan import wiring
from goldpan.demo.traffic import load_shipped_conversations, make_traces
from judges.definition import parse_judge
from judges.judged_row import JudgedRow, judged_row_of
from judges.wires import WireRequest
from lake.config import LakeSettings
from lake.tables import Lake
from schemas.records import Message, Trace

_STARTED = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1_000_000)
_REPLY = json.dumps(
    {
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"verdict": "pass"}'},
            }
        ],
        "usage": {"prompt_tokens": 500, "completion_tokens": 5},
    }
).encode()
_WAYS = {"check": "{check: empty_answer}", "chat": "{chat: m-1}"}
_JUDGE = "judge: {name}\nversion: 1\nasks: The answer helps.\nby: [{way}]\n"


class InstantServer:
    """Says pass at once."""

    def send_all(
        self,
        requests: Sequence[WireRequest],
        on_delivery: Callable[[int, Delivery], None] = lambda _at, _delivery: None,
    ) -> list[Delivery]:
        """Return a pass for each request."""
        deliveries = [Delivery(_REPLY, None, 200) for _ in requests]
        for at, delivery in enumerate(deliveries):
            on_delivery(at, delivery)
        return deliveries


def short_subjects(count: int) -> Iterator[JudgeSubject]:
    """Yield traces of one question each; three are a conversation."""
    for at in range(count):
        trace = Trace(
            trace_id=f"t{at}",
            app="shop",
            started_at=_STARTED,
            status="ok",
            messages=[Message(role="user", content="Where is my parcel?")],
            response=f"On its way ({at}).",
        )
        yield JudgeSubject(JudgedRow(trace), "window", cluster=f"s{at // 3}")


def subjects(count: int) -> Iterator[JudgeSubject]:
    """Yield traces of the shipped conversations, each with an id and an answer of its own."""
    rows = [
        row
        for conversation in load_shipped_conversations()
        for row in make_traces(conversation, started_at=_STARTED)
    ]
    for at in range(count):
        row = rows[at % len(rows)]
        response = f"{row.get('response') or ''} ({at})"
        yield JudgeSubject(
            judged_row_of({**row, "trace_id": f"t{at}", "response": response}), "window"
        )


def run(lake: Lake, way: str, traces: int, made: Callable[[int], Iterator[JudgeSubject]]) -> None:
    """Judge by one way, and print what it took."""
    definition = parse_judge(_JUDGE.format(name="helps" if "chat" in way else "form", way=way), "j")
    plan = JudgePlan(definition, definition.by[0])
    context = wiring.make_commit_context()
    known = KnownJudgements(plan.judge_digest, plan.way, context.now_us)
    store = JudgementStore(lake, known, context)
    terms = RunTerms("benchmark", time.sleep, batch_rows=256)
    begun, wall = time.process_time(), time.perf_counter()
    report = JudgeRunner(plan, store, context, terms, InstantServer()).run(lambda: made(traces))
    assert report.as_judged.counts.drawn == traces
    assert report.corrected({}) is None
    spent, took = time.process_time() - begun, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    click.echo(
        f"{plan.way.kind:<6}{report.judged:>9,} judged {report.known:>9,} known "
        f"{spent / traces * 1000:7.2f} ms of CPU each, {traces / took:7,.0f}/s, peak {peak:,} MiB"
    )


@click.command()
@click.option("--traces", default=100_000, show_default=True)
@click.option("--folder", help="Keep the lake in this folder, and run once.")
@click.option("--way", type=click.Choice([*_WAYS]), multiple=True, default=[*_WAYS])
@click.option("--short", is_flag=True, help="One question a trace.")
def main(traces: int, folder: str | None, way: tuple[str, ...], *, short: bool) -> None:
    """Print one line for each run."""
    made = short_subjects if short else subjects
    for each in way:
        with tempfile.TemporaryDirectory() as temporary:
            lake = Lake(LakeSettings(uri=folder or temporary))
            lake.init()
            for count in (traces,) if folder else (traces // 10, traces, traces):
                run(lake, _WAYS[each], count, made)


if __name__ == "__main__":
    main()

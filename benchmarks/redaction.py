"""Compares redaction with stock Presidio and the same recognisers, and measures it in the worker.

    python -m benchmarks.redaction [--conversations 4] [--records 8000] [--megabytes 32]
        [--build compiled|pure]

The first line says whether redaction is compiled (``--build`` refuses the other), and gives the
hash of the policy, and that of rows, refusals and audit of generated, real and hostile records. It
is the same for both builds.

All figures are CPU time of one run on one machine; only the ratios carry over to others. The real
conversations are those that the demo ships. For varied traffic the names and numbers of their users
are replaced in each copy, so that a conversation repeats only its own history.
"""

import gc
import hashlib
import itertools
import json
import multiprocessing
import random
import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import click
import msgspec

from benchmarks.hostile_texts import hostile
from benchmarks.reference_detector import ReferenceDetector
from goldpan.demo.traffic import Conversation, load_shipped_conversations, make_traces
from redact.build import loaded_build
from redact.crypto.keys import Keys
from redact.pipeline.audit import build_audit_rows
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy, load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers
from schemas.columns import record_batch
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Trace
from stream.memory import COLLECTOR_THRESHOLD

NOW = 1_760_000_000_000_000
KEYS = Keys.derive(bytes(32))
BATCH = 500
SIZE = 1_800
PORTION = 2_000
CONVERSATIONS = tuple(load_shipped_conversations())
THRESHOLD = 0.4


def policy(model: str = "none") -> RedactionPolicy:
    """Return the default policy, with or without the model for names."""
    strict = load_policy("strict")
    return strict.model_copy(update={"names": strict.names.model_copy(update={"model": model})})


def timed(action: Callable[[], object]) -> float:
    """Return the CPU seconds that an action takes."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def texts_of(trace: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a trace that are redacted."""
    for message in trace["messages"]:
        if message.get("content"):
            yield message["content"]
        for call in message.get("tool_calls", ()):
            yield call["arguments"]
    if trace.get("response"):
        yield trace["response"]


def renamed(conversation: Conversation, seed: int) -> Conversation:
    """Return a conversation whose user has another name and other numbers."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    text = msgspec.json.encode(conversation).decode()
    for part in conversation.user_id.split("_"):
        letters = "0123456789" if part.isdigit() else "abcdefghijklmnopqrstuvwxyz"
        other = "".join(rng.choice(letters) for _ in range(max(len(part), 4)))
        for old, new in ((part.capitalize(), other.capitalize()), (part, other)):
            text = re.sub(rf"(?<![^\W_]){old}(?![^\W_])", new, text)
    return msgspec.json.decode(text, type=Conversation)


def reworded(conversation: Conversation, seed: int) -> Conversation:
    """Return a conversation in which each message has a unique word."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    messages = []
    for message in conversation.messages:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(8))
        content = message.get("content")
        if not content:
            messages.append(message)
        elif content.startswith(("{", "[{")):
            head, brace, rest = content.partition("{")
            messages.append({**message, "content": f'{head}{brace}"trail": "{word}", {rest}'})
        else:
            messages.append({**message, "content": f"{content} ({word})"})
    return replace(conversation, messages=messages)


def shortened(trace: dict[str, Any], size: int = SIZE) -> dict[str, Any]:
    """Keep the newest messages of a trace, as many as make about ``size`` bytes."""
    kept: list[dict[str, Any]] = []
    room = size - 700
    for message in reversed(trace["messages"]):
        taken = len(json.dumps(message))
        if taken > room:
            break
        kept.append(message)
        room -= taken
    return {**trace, "messages": kept[::-1], "tool_calls": []}


def endless(*, alike: bool = False) -> Iterator[dict[str, Any]]:
    """Yield short traces of conversations that all differ, in personal values and in each message.

    ``alike`` keeps messages without personal data unchanged, so that they repeat.
    """
    for seed in itertools.count(1):
        for number, conversation in enumerate(CONVERSATIONS):
            own = seed * len(CONVERSATIONS) + number
            copy = renamed(conversation, own)
            copy = copy if alike else reworded(copy, own)
            yield from map(shortened, make_traces(copy, started_at=NOW, seed=own))


def varied(records: int) -> list[dict[str, Any]]:
    """Return the first of such traces."""
    return list(itertools.islice(endless(), records))


def batches(traces: Sequence[dict[str, Any]]) -> list[DecodedBatch[Any]]:
    """Return traces as the decoder returns them."""
    made = []
    for start in range(0, len(traces), BATCH):
        part = traces[start : start + BATCH]
        rows = range(len(part))
        records = [msgspec.convert(trace, Trace) for trace in part]
        raws = [RawRecord(0, row, -1, None, b"") for row in rows]
        made.append(
            DecodedBatch(
                RecordKind.TRACE,
                "t",
                records,
                [0] * len(part),
                list(rows),
                ["x"] * len(part),
                raws,
            )
        )
    return made


def against_stock(conversations: int) -> None:
    """Compare on traces with their history, and on unseen text."""
    recognisers = build_recognisers(policy())
    stock = ReferenceDetector(recognisers, threshold=THRESHOLD)
    before = time.process_time()
    fast = AcceleratedDetector(recognisers, threshold=THRESHOLD, seconds=60)
    building = time.process_time() - before
    traces = [
        trace
        for conversation in load_shipped_conversations()[:conversations]
        for trace in make_traces(conversation, started_at=NOW, seed=0)
    ]
    spans = [text for trace in traces for text in texts_of(trace)]
    distinct = list(dict.fromkeys(spans))
    # Expressions are compiled when a text first needs them: that is the start, not the speed.
    begun = AcceleratedDetector(recognisers, threshold=THRESHOLD, seconds=60)
    first = timed(lambda: [detector.find(text) for detector in (begun, stock) for text in distinct])
    slow_distinct = timed(lambda: [stock.find(text) for text in distinct])
    fast_distinct = timed(lambda: [fast.find(text) for text in distinct])
    start = building + first - slow_distinct - fast_distinct
    differ = sum(stock.find(text) != fast.find(text) for text in distinct)
    many, few = sum(map(len, spans)), sum(map(len, distinct))
    start += timed(lambda: [PolicyRedactor(policy(), KEYS).in_place(b) for b in batches(traces)])
    redactor = PolicyRedactor(policy(), KEYS)
    work = batches(traces)
    whole = timed(lambda: [redactor.redact(batch, ingested_at=NOW) for batch in work])
    start -= whole
    # What stock takes for all spans follows from its time for a character: it remembers nothing.
    click.echo(f"spans {many:,} characters, {many / few:.1f} times the {few:,} distinct ones")
    click.echo(f"stock Presidio, same recognisers   {slow_distinct / few * 1e6:8.2f} ms/kB")
    click.echo(f"to build and compile               {start:8.1f} CPU-s")
    click.echo(f"text never seen, no model         x{slow_distinct / fast_distinct:8.1f}")
    click.echo(f"findings that differ               {differ:8d} of {len(distinct)} texts")
    click.echo(f"traces, the whole of redaction    x{slow_distinct / few * many / whole:8.1f}")


def in_the_worker(records: int, model: str, *, alike: bool = False, audit: bool = True) -> None:
    """Print what redaction, and its audit, add to a record of varied traffic."""
    redactor = PolicyRedactor(policy(model), KEYS, audit=audit)
    for batch in batches(varied(50)):
        redactor.redact(batch, ingested_at=NOW)
    before = redactor.statistics()
    traffic, spent = endless(alike=alike), 0.0
    for _ in range(0, records, PORTION):
        spent += _added(redactor, batches(list(itertools.islice(traffic, PORTION))))
    after = redactor.statistics()
    hits = after["segment_hits"] - before["segment_hits"]
    lookups = hits + after["segment_misses"] - before["segment_misses"]
    refused = after["rejected"] - before["rejected"]
    click.echo(
        f"{'alike ' if alike else 'varied'} traces, model {model:8}{'' if audit else 'no audit':10}"
        f"{spent / records * 1e6:6.0f} CPU-s a million"
        f" (segments known {hits / lookups:.0%}, refused {refused})"
    )


def _added(redactor: PolicyRedactor, work: list[DecodedBatch[Any]]) -> float:
    """Return the CPU seconds of some batches, less those of making their rows."""
    gc.freeze()  # a worker holds a few batches, not all of this
    columns = timed(lambda: [record_batch(b.kind, b, ingested_at=NOW, policy="p") for b in work])
    return timed(lambda: audit_all(redactor, work)) - columns


def audited(redactor: PolicyRedactor, batch: DecodedBatch[Any]) -> None:
    """Redact a batch and make the rows of its audit, as the worker does."""
    outcome = redactor.redact(batch, ingested_at=NOW)
    if outcome.audit:
        build_audit_rows(outcome.audit, policy=redactor.policy_hash, ingested_at=NOW, previous="")


def audit_all(redactor: PolicyRedactor, work: Sequence[DecodedBatch[Any]]) -> None:
    """Redact batches and make the rows of their audit."""
    for batch in work:
        audited(redactor, batch)


def hash_of_results(records: int) -> tuple[str, str]:
    """Return the hash of the policy, and that of all that becomes of some records."""
    redactor = PolicyRedactor(policy("shipped"), KEYS, audit=True)
    chance = random.Random(1)  # noqa: S311  # not for secrets
    traces = [*varied(records), *itertools.islice(endless(alike=True), records)]
    for conversation in CONVERSATIONS:
        traces += make_traces(conversation, started_at=NOW, seed=0)
    spoken = traces[0]
    traces += [{**spoken, "response": hostile(chance)} for _ in range(records)]
    digest = hashlib.sha256()
    for batch in batches(traces):
        outcome = redactor.redact(batch, ingested_at=NOW)
        for each in (*outcome.rows.value.to_pylist(), *outcome.rejected, *outcome.audit):
            digest.update(repr(each).encode("utf-8", "surrogatepass"))
    return redactor.policy_hash, digest.hexdigest()[:16]


def memory(megabytes: int) -> None:
    """Print how much the process grows over text in which no conversation repeats."""
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)
    redactor = PolicyRedactor(policy("shipped"), KEYS, audit=True)
    done = seed = 0
    peaks: list[int] = []
    while done < megabytes * 1_000_000:
        seed += 1
        for conversation in load_shipped_conversations():
            copy = reworded(renamed(conversation, 1_000_000 + seed), seed)
            traces = list(make_traces(copy, started_at=NOW, seed=seed))
            done += sum(len(text) for trace in traces for text in texts_of(trace))
            for batch in batches(traces):
                audited(redactor, batch)
        if done > (len(peaks) + 1) * megabytes * 250_000:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    peaks_shown = " / ".join(map(str, peaks))
    click.echo(f"peak memory after each quarter of {megabytes} MB   {peaks_shown} MB", nl=True)


def _process(records: int, barrier: Any, walls: Any) -> None:
    redactor = PolicyRedactor(policy(), KEYS)
    for batch in batches(varied(50)):
        redactor.redact(batch, ingested_at=NOW)
    work = batches(varied(records))
    barrier.wait()
    begin = time.perf_counter()
    for batch in work:
        redactor.redact(batch, ingested_at=NOW)
    walls.put(time.perf_counter() - begin)


def processes(records: int) -> None:
    """Compare the wall time of one process with that of two, each with as many records."""
    context = multiprocessing.get_context("spawn")
    slowest = []
    for count in (1, 2):
        barrier, walls = context.Barrier(count), context.Queue()
        running = [
            context.Process(target=_process, args=(records, barrier, walls)) for _ in range(count)
        ]
        for process in running:
            process.start()
        slowest.append(max(walls.get() for _ in running))
        for process in running:
            process.join()
    click.echo(f"two processes against one         x{2 * slowest[0] / slowest[1]:8.2f}")


@click.command()
@click.option("--conversations", default=4, show_default=True, help="Compared with stock.")
@click.option("--records", default=8000, show_default=True, help="Varied records.")
@click.option("--megabytes", default=32, show_default=True, help="Text for the memory's figure.")
@click.option("--build", type=click.Choice(["compiled", "pure"]), help="Refuse another build.")
def main(conversations: int, records: int, megabytes: int, build: str | None) -> None:
    """Print the figures of docs/redaction.md."""
    loaded = loaded_build()
    if build not in (None, loaded):
        raise click.UsageError(f"redaction is {loaded} here, not {build}")
    policy_hash, results = hash_of_results(min(records, 1_000))
    click.echo(f"build {loaded}, policy {policy_hash}, results {results}")
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)  # as in the worker
    against_stock(conversations)
    for alike in (True, False):
        in_the_worker(records, "none", alike=alike)
        in_the_worker(records, "shipped", alike=alike)
        in_the_worker(records, "shipped", alike=alike, audit=False)
    processes(records)
    # Its peak is that of a process, so it gets one of its own.
    alone = multiprocessing.get_context("spawn").Process(target=memory, args=(megabytes,))
    alone.start()
    alone.join()


if __name__ == "__main__":
    main()

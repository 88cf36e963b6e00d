"""Traffic for the benchmarks of the worker: traces of real conversations, by size, on a topic."""

import json
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

from confluent_kafka import Producer

from goldpan.demo.traffic import load_shipped_conversations, make_traces

STARTED_AT = 1_760_000_000_000_000
FIXED_BYTES = 900  # what a trace takes without its texts
_SYSTEM_PROMPT = 0


def _shortened(trace: dict[str, Any], size: int) -> dict[str, Any]:
    """Keep the newest messages of about ``size`` bytes in total, and truncate longer ones."""
    kept: list[dict[str, Any]] = []
    room = size - FIXED_BYTES - len(trace.get("response") or "")
    for message in reversed(trace["messages"]):
        text = message.get("content") or ""
        kept.append({**message, "content": text[: max(room, 0)], "tool_calls": []})
        room -= len(text) + 60
        if room <= 0:
            break
    while room > 0 and size > 4000:
        text = trace["messages"][_SYSTEM_PROMPT]["content"][:room]
        kept.append({"role": "system", "content": text})
        room -= len(text) + 60
    return {**trace, "messages": kept[::-1], "tool_calls": []}


def traces(number: int, size: int, *, conversations: int = 12) -> Iterator[bytes]:
    """Yield ``number`` traces of about ``size`` bytes as JSON; ids differ, texts repeat."""
    made = 0
    seed = 0
    while made < number:
        for conversation in load_shipped_conversations()[:conversations]:
            for trace in make_traces(conversation, started_at=STARTED_AT, seed=seed):
                yield json.dumps(_shortened(trace, size), separators=(",", ":")).encode()
                made += 1
                if made == number:
                    return
        seed += 1


def produce(
    bootstrap: str,
    topic: str,
    values: Iterable[bytes],
    *,
    keys: Iterable[bytes] | None = None,
) -> int:
    """Send values to a topic, spread over its partitions; return the number of bytes.

    Without ``keys`` the key of a value is its number.
    """
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "linger.ms": 50,
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 512_000,
        }
    )
    sent = 0
    stream = zip(keys or (b"%d" % number for number in count()), values, strict=False)
    while chunk := list(islice(stream, 5_000)):
        for key, value in chunk:
            producer.produce(topic, value, key=key)
            sent += len(value)
        producer.flush()
    return sent

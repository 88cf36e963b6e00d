"""Measures the cost of the model for names: CPU time to load and to run, and memory.

    python -m benchmarks.ner_speed [--texts 40000] [--conversations FILE]

The texts are the users' messages of a file of conversations (one JSON object a line, `messages` in
chat format), or else invented. Each is given unique words, as real traffic has ever new ones.
Memory is measured in a fresh process.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import click
import psutil

from redact.ner.stage import BLOCK, NerStage

_SAMPLE = (
    "Hi, I am trying to change my booking to Denver and nobody answers, can you help me?",
    "my name is Ingrid Halvorsen and i live at 12 Harbour Lane, Bergen",
    "Sure, please cancel the second item and send the refund to my card.",
    "I spoke with Mr. Okafor from your office on Monday, he told me it would be no problem at all.",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def texts(count: int, conversations: Path | None, seed: int) -> Iterator[str]:
    """Yield texts of people, each with two unique words."""
    random = Random(seed)  # noqa: S311  not for secrets
    base = _messages(conversations) if conversations else list(_SAMPLE)
    for i in range(count):
        words = (" ".join("".join(random.choices(_LETTERS, k=9)) for _ in range(2)),)
        yield f"{base[i % len(base)]} {words[0]}"


def _messages(path: Path) -> list[str]:
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [
        message["content"]
        for line in lines
        for message in line["messages"]
        if message["role"] == "user" and message.get("content")
    ]


def speed(items: list[str]) -> dict[str, float]:
    """Return seconds to load, texts and megabytes a second; CPU time, so of one core."""
    started = time.process_time()
    names = NerStage()
    loaded = time.process_time()
    names.find(items)
    seconds = time.process_time() - loaded
    size = sum(len(item.encode()) for item in items) / 1e6
    return {
        "load_seconds": round(loaded - started, 2),
        "texts_a_second": round(len(items) / seconds),
        "megabytes_a_second": round(size / seconds, 3),
        "mean_bytes": round(1e6 * size / len(items)),
    }


def memory(count: int, conversations: Path | None) -> float:
    """Return the growth of the process in megabytes while ``count`` texts are processed."""
    names = NerStage()
    process = psutil.Process(os.getpid())
    stream = texts(count, conversations, seed=2)
    before = 0.0
    for number in range(0, count, BLOCK):
        names.find([text for _, text in zip(range(BLOCK), stream, strict=False)])
        if number == 0:  # the model's own buffers are there after the first block
            before = process.memory_info().rss
    return round((process.memory_info().rss - before) / 1e6, 1)


@click.command()
@click.option("--texts", "count", type=int, default=40_000, show_default=True)
@click.option("--conversations", type=click.Path(path_type=Path, exists=True))
def main(count: int, conversations: Path | None) -> None:
    """Print the figures as one JSON object."""
    result: dict[str, Any] = speed(list(texts(2_000, conversations, seed=1)))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        result["memory_growth_mb"] = pool.apply(memory, (count, conversations))
    result["memory_texts"] = count
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()

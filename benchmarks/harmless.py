"""Measures what redaction changes in traffic without names, under the default policy.

    python -m benchmarks.harmless [--numbers 1000] [--catalogues /usr/share/locale]

Counts (1) tool results with a random id, an epoch, a decimal or a UUID that are changed or refused;
(2) words lost from harmless texts by kind, sent by a user, where the model for names reads them;
(3) with the shared conversations beside the checkout, words of tau-bench that are lost without
being personal. With ``--catalogues`` messages of installed programs in German, Spanish, French and
Japanese are read too (gettext's `.mo` files).
"""

import argparse
import gettext
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from benchmarks import harmless_texts
from redact.pipeline.policy_redactor import PolicyRedactor
from tests.redact.kit import minimal, redactor, said
from tests.redact.leaks import SHARED, conversations, measure
from tests.redact.lines import outputs

TEXTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "code": harmless_texts.code,
    "docstrings": harmless_texts.docstrings,
    "logs": harmless_texts.logs,
    **{
        language: partial(harmless_texts.messages, language) for language in harmless_texts.MESSAGES
    },
    "rules and terms": harmless_texts.terms,
}
_LANGUAGES = {"German": "de", "Spanish": "es", "French": "fr", "Japanese": "ja"}
_WORD = re.compile(r"[^\W_]+")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_ID_KEYS = (
    "shipment_id", "event_id", "job_id", "batch_number", "parcel_id", "order_id", "invoice_number",
    "request_id", "orderId", "item_id", "tracking_number", "id",
)  # fmt: skip


class ChangedShare(NamedTuple):
    """Of ``whole`` things (records, or words), how many were changed, and how many refused."""

    total: int
    changed: int
    refused: int
    examples: tuple[str, ...]

    @property
    def share(self) -> float:
        """Return which share was changed or refused."""
        return (self.changed + self.refused) / max(self.total, 1)


def numbers(kind: str, count: int, seed: int = 1) -> ChangedShare:
    """Redact tool results and log lines, each with one number of a kind (or two)."""
    rng = Random(seed)  # noqa: S311
    records = [_record(_NUMBERS[kind](rng), rng) for _ in range(count)]
    redacted = outputs(records, "trace")
    pairs = list(zip(records, redacted, strict=True))
    changed = [r for r, o in pairs if o is not None and _content(r) != _content(o)]
    refused = sum(o is None for _, o in pairs)
    return ChangedShare(count, len(changed), refused, tuple(map(_content, changed[:5])))


def words(texts: Iterable[str], most: int | None = None) -> ChangedShare:
    """Redact texts as messages of a user, and count the words that are gone."""
    records = [said(text) for text in islice(texts, most)]
    redacted = outputs(records, "trace")
    count = lost = 0
    examples: list[str] = []
    for record, output in zip(records, redacted, strict=True):
        before = _words(_content(record))
        gone = before if output is None else before - _words(_content(output))
        count += before.total()
        lost += gone.total()
        examples += gone
    return ChangedShare(count, lost, 0, tuple(examples[:12]))


def conversations_of_tau_bench() -> ChangedShare | None:
    """Count words of real conversations that are lost without being personal; None without data."""
    if not (SHARED / "airline.jsonl").exists():
        return None
    subjects = json.loads((SHARED / "subjects.json").read_text(encoding="utf-8"))
    engine = cast("PolicyRedactor", redactor())
    figures = measure(engine, conversations(SHARED, 2), subjects)
    worst = tuple(word for word, _ in figures.taken.most_common(12))
    return ChangedShare(figures.tokens, figures.harmless_taken, figures.rejected, worst)


def catalogues(folder: Path, language: str) -> Iterator[str]:
    """Yield messages of installed programs in a language, a few to a text."""
    pieces: list[str] = []
    for path in sorted((folder / _LANGUAGES[language] / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            catalogue: dict[Any, str] = vars(gettext.GNUTranslations(file))["_catalog"]
        pieces += [text for key, text in catalogue.items() if key and len(text) > 20]
    for at in range(0, len(pieces), 4):
        yield "\n".join(pieces[at : at + 4])


def _words(text: str) -> Counter[str]:
    """Return the words of a text; of Japanese its characters, as it has no spaces."""
    return Counter(_JAPANESE.findall(text) + _WORD.findall(_JAPANESE.sub(" ", text)))


def _content(record: Mapping[str, Any]) -> str:
    return str(record["messages"][0]["content"])


def _record(pair: tuple[str, str], rng: Random) -> dict[str, Any]:
    """Return a tool result that holds a key and a value, as JSON or as a log line."""
    key, value = pair
    number: Any = json.loads(value) if rng.random() < 0.5 and _is_number(value) else value
    forms = (
        json.dumps({key: number, "status": "open"}),
        json.dumps({"hits": [{"lines": 3, key: number}], "count": 1}),
        f"level=info {key}={value} took=12ms",
        f"{key}: {value}\nstatus: open",
    )
    return minimal(messages=[{"role": "tool", "content": rng.choice(forms)}])


def _is_number(text: str) -> bool:
    return not text.startswith("0") and text.replace(".", "", 1).isdigit() and len(text) < 19


def _id(rng: Random) -> tuple[str, str]:
    length = rng.randrange(13, 20)
    return rng.choice(_ID_KEYS), str(rng.randrange(10 ** (length - 1), 10**length))


def _epoch(rng: Random) -> tuple[str, str]:
    seconds = rng.randrange(1_400_000_000, 1_900_000_000)
    scale = rng.choice([1, 1_000, 1_000_000])
    return rng.choice(["ts", "timestamp", "created_at", "next"]), str(seconds * scale + 7 % scale)


def _decimal(rng: Random) -> tuple[str, str]:
    text = f"{rng.uniform(-40, 40):.{rng.randrange(6, 17)}f}"
    return rng.choice(["score", "ratio", "x", "embedding"]), text


def _uuid(rng: Random) -> tuple[str, str]:
    made = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return rng.choice(["id", "run_id", "key", "trace"]), made


_NUMBERS: Mapping[str, Callable[[Random], tuple[str, str]]] = {
    "ids of 13 to 19 digits": _id,
    "epochs": _epoch,
    "decimals": _decimal,
    "UUIDs": _uuid,
}
KINDS = tuple(_NUMBERS)


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--numbers", type=int, default=1_000, metavar="N")
    parser.add_argument("--catalogues", type=Path, help="a folder such as /usr/share/locale")
    args = parser.parse_args()
    for kind in KINDS:
        _print(kind, numbers(kind, args.numbers), "records")
    for kind, texts in TEXTS.items():
        _print(kind, words(texts()), "words")
    if args.catalogues:
        for language in _LANGUAGES:
            lost_words = words(catalogues(args.catalogues, language), 2_000)
            _print(f"programs, {language}", lost_words, "words")
    tau_bench = conversations_of_tau_bench()
    if tau_bench is not None:
        _print("tau-bench", tau_bench, "words")


def _print(kind: str, result: ChangedShare, unit: str) -> None:
    share = f"{100 * result.share:.3f} %"
    what = f"{result.changed:>6} changed, {result.refused} refused of {result.total} {unit}"
    print(f"{kind:<24}{what}: {share}")
    for example in result.examples:
        print(f"    {example[:110]!r}")


if __name__ == "__main__":
    main()

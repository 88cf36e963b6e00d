"""Writes the page ``docs/what-is-found.md``: ``python -m redact.reports.detection_page docs/what-is-found.md``.

Types, policies and keys come from the code, figures from ``figures/redaction.json`` beside the
page, which `python -m benchmarks.redaction_quality` measures.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from redact.policies.data_types import DATA_TYPES, DETECTION_NOTES, PRESIDIO_DIFFERENCES
from redact.policies.policy import PRESETS, RedactionPolicy, load_policy

FIGURES: Final = Path("figures") / "redaction.json"
_SHOWN: Final = 8
NAME_LANGUAGES: Final = (
    "English",
    "German",
    "French",
    "Spanish",
    "Portuguese",
    "Italian",
    "Dutch",
    "Polish",
)
"""The languages in which the model has learnt names."""

NOT_FOUND: Final = (
    "**Names by far not all.** A name that stands under no key, after no introduction and nowhere "
    "else in its record is found by the model, with the recall below. Nicknames, names that are "
    "ordinary words, and names in small letters are found less often.",
    "**Languages.** Values with a form (addresses of mail, cards, keys …) are found in text of any "
    "language and script. Names in free text are learnt in: {languages}. In any other language "
    "count on names that keys or introductions give away, and on no others.",
    "**Numbers without a form of their own.** A bank account, passport, licence, record or plan "
    "number is digits like any others: it is found under its key or after its word only.",
    "**National numbers of other countries** than those of the policy (`countries`), and phones "
    "without a country code of other regions (`regions`).",
    "**A valid card number under the key of an id** (`order_id`, `transaction_id` …) stays: one in "
    "ten random numbers of that length passes the check.",
    "**Values that are split** over two fields, two messages or two records are not put together.",
    "**What is in pictures, sound, documents, encrypted or compressed text** is not looked into; "
    "text in base64 only with `decode_base64`.",
    "**Descriptions.** Who is `the tall surgeon in bed 4` is not found, nor what somebody can be "
    "recognised by: rare jobs, events, ways of writing.",
    "**What the policy keeps** (`kept` in the table): places, dates, organisations and more under "
    "`strict`, as traces are useless without them. Another preset or file replaces them.",
)
"""What is not found, in the order in which it matters."""

_INTRODUCTION: Final = """\
# What is found, and what is not

Written by `python -m redact.reports.detection_page docs/what-is-found.md` from the policies and the code; a
test holds it equal to them. How it works is in [redaction.md](redaction.md). To measure it on your
own data, label some hundred lines and run `goldpan redact check FILE`; to see what older rows of a
lake still hold, run `goldpan lake scan`.
"""


def render_detection_page(figures: Mapping[str, Any] | None) -> str:
    """Return the page; ``figures`` as the benchmark writes them, None where nobody measured."""
    policies = {name: load_policy(name) for name in PRESETS}
    parts = [
        _INTRODUCTION,
        "## The types\n",
        *_types(policies),
        "",
        "`kept` is found and reported, but stays. `-` is not looked for.\n",
        *_keys(policies[PRESETS[0]]),
        "## What is not found\n",
        *(f"- {limit.format(languages=', '.join(NAME_LANGUAGES))}" for limit in NOT_FOUND),
        "",
        "## Differences from stock Presidio\n",
        "The recognisers run on presidio-analyzer. Where they are meant to find the same, that is "
        "tested (`tests/redact/test_differential.py`). These differences are on purpose:\n",
        *(f"- {departure}" for departure in PRESIDIO_DIFFERENCES),
        "",
        "## Measured\n",
        *_measured(figures),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _types(policies: Mapping[str, RedactionPolicy]) -> Iterator[str]:
    yield f"| type | what it is | how it is recognised | {' | '.join(policies)} |"
    yield f"|---|---|---|{'---|' * len(policies)}"
    for kind, meaning in DATA_TYPES.items():
        cells = [_operator(policy, kind) for policy in policies.values()]
        yield f"| `{kind}` | {meaning} | {DETECTION_NOTES[kind]} | {' | '.join(cells)} |"


def _operator(policy: RedactionPolicy, kind: str) -> str:
    rule = policy.entities.get(kind)
    if rule is None:
        return "-"
    return "kept" if rule.operator == "keep" else rule.operator


def _keys(policy: RedactionPolicy) -> Iterator[str]:
    """Yield what keys say of their values, by words and by the rules of a policy."""
    yield "## Keys that decide\n"
    yield (
        "Keys of JSON, YAML, forms, tables and the like are read word by word, whatever their "
        "case and however their words are joined: `billing_first_name`, `customerSsn`. With one "
        "of these (the first few in English; all are in `redact/key_words.json`) the value is "
        "personal if it can be one at all; `email_count` and `phone_verified` say something "
        "about a datum, and stay.\n"
    )
    yield "| type | words | also in |"
    yield "|---|---|---|"
    for kind, by_language in _words().items():
        some = ", ".join(f"`{word}`" for word in by_language["en"][:_SHOWN])
        yield f"| `{kind}` | {some} | {', '.join(sorted(set(by_language) - {'en'})) or '-'} |"
    yield ""
    for key, kind in policy.keys.personal.items():
        yield f"- `{key}`: `{kind}`, by a rule of `{policy.name}`"


def _words() -> dict[str, dict[str, list[str]]]:
    """Return the words that name a type for certain, by type and language."""
    file = resources.files("redact") / "key_words.json"
    certain = json.loads(file.read_text(encoding="utf-8"))["certain"]
    by_type: dict[str, dict[str, list[str]]] = {kind: {} for kind in DATA_TYPES}
    for name, by_language in certain.items():
        kind = name.partition(":")[0]
        for language, words in by_language.items():
            by_type[kind].setdefault(language, []).extend(words.split(", "))
    return {kind: words for kind, words in by_type.items() if "en" in words}


def _measured(figures: Mapping[str, Any] | None) -> Iterator[str]:
    if figures is None:
        yield "Nothing was measured yet."
        return
    yield (
        f"By `python -m benchmarks.redaction_quality`, policy `{figures['policy']}`. *Gone*: at "
        "least 90 % of the letters and digits of a value are replaced, as whatever type. *Recall*: "
        "as much of it is found as its own type. *Precision*: the share of findings of a type that "
        "are labelled so. *All* are the types that the policy replaces.\n"
    )
    for data_set in figures["sets"]:
        yield f"**{data_set['name']}** ({data_set['texts']:,} texts):\n"
        yield "| type | values | gone | recall | precision |"
        yield "|---|---|---|---|---|"
        for kind, score in data_set["types"].items():
            yield _row(f"`{kind}`", score)
        yield _row("all", data_set["overall"])
        yield ""
        if "harmless_share" in data_set:
            share = data_set["harmless_share"] * 100
            yield f"Of all words {share:.3f} % were taken along that are harmless.\n"


def _row(name: str, score: Mapping[str, Any]) -> str:
    shares = (_share(score.get(key)) for key in ("coverage", "recall", "precision"))
    return f"| {name} | {score['labels']:,} | {' | '.join(shares)} |"


def _share(value: float | None) -> str:
    """Return a share in percent; what is not all never looks like all."""
    if value is None:
        return "-"
    return f"{math.floor(value * 1000) / 10:.1f} %"


def figures_sentence(figures: Mapping[str, Any]) -> str:
    """Return the sentence about the figures that README has."""
    shares = [
        f"{_share(data_set['overall']['coverage'])} of {data_set['overall']['labels']:,} {data_set['short']}"
        for data_set in figures["sets"]
    ]
    return f"{' and '.join(shares)} are gone"


def load_figures(page: Path) -> dict[str, Any] | None:
    """Return the figures that lie beside a page, None if there are none."""
    file = page.parent / FIGURES
    if not file.exists():
        return None
    figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return figures


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(render_detection_page(load_figures(target)), encoding="utf-8")

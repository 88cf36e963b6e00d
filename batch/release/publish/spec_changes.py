"""Describes how a spec differs from that of the previous version."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batch.release.format.manifest import SpecFacts

_LONGEST: Final = 60
_MARK: Final = "hmac:"


def describe_spec_changes(before: SpecFacts, after: SpecFacts) -> list[str]:
    """Return a sentence for each key that differs between the specs of two manifests.

    Manifests store these sentences.
    """
    old, new = dict(_flatten(before)), dict(_flatten(after))
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    return [_sentence(key, _text(old.get(key)), _text(new.get(key))) for key in keys]


def requires_other_labels(before: SpecFacts, after: SpecFacts) -> bool:
    """Return whether two specs require different labels: their rows stand for other traces."""
    return before["labels"] != after["labels"]


def _flatten(spec: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in spec.items():
        if key in {"labels", "window", "allocation"}:
            yield from ((f"{key}.{part}", item) for part, item in value.items())
        elif key != "description":
            yield key, value


def _sentence(key: str, old: str, new: str) -> str:
    if _MARK in old + new or max(len(old), len(new)) > _LONGEST:
        return f"`{key}` of the spec is another"
    return f"`{key}` of the spec was {old} and is {new}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items()) or "nothing"
    return "nothing" if value is None else str(value)

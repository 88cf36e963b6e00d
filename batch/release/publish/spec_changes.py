"""Why a version is another than the one before it: what of the spec has changed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_LONGEST: Final = 60
_MARK: Final = "hmac:"


def describe_spec_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each key that differs between two specs, as manifests have them."""
    old, new = dict(_flat(before)), dict(_flat(after))
    keys = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    return [_sentence(key, _text(old.get(key)), _text(new.get(key))) for key in keys]


def requires_other_labels(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether two specs ask for other labels: then their rows stand for other traces."""
    return bool(before["labels"] != after["labels"])


def _flat(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if key in {"labels", "window", "allocation"}:
            yield from ((f"{key}.{part}", one) for part, one in value.items())
        elif key != "description":
            yield key, value


def _sentence(key: str, old: str, new: str) -> str:
    if _MARK in old + new or max(len(old), len(new)) > _LONGEST:
        return f"`{key}` of the spec is another"
    return f"`{key}` of the spec was {old} and is {new}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items()) or "nothing"
    return "nothing" if value is None else str(value)

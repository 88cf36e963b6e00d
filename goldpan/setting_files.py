"""Settings that can be given as a value (``<name>``) or in a file (``<name>_file``).

Both are one setting, so they are merged within each source (the environment, the TOML file) before
one source overrides the other. Two different values in one source are refused.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from goldpan.setting_names import variable_name
from schemas.errors import UsageError
from schemas.text_files import read_text_file

_PROPERTIES: Final = ("kafka", "properties")
_PASSWORD: Final = ("kafka", "schema_registry_password")
_READ_LATER: Final = (
    ("redact", "key"),
    ("redact", "former_keys"),
    ("redact", "seal_key"),
    ("release", "signing_key"),
)
"""The packages of these settings read the files themselves, when they need them."""

NameSetting = Callable[[tuple[str, str]], str]
"""Returns the name of a setting as the user wrote it."""


def drop_overridden(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a file, without those that the environment sets by either name."""
    there = {name.upper() for name, value in environ.items() if value}
    left = {group: dict(content) for group, content in values.items()}
    for group, name in (*_READ_LATER, _PASSWORD):
        names = (name, f"{name}_file")
        if there & {variable_name((group, one)) for one in names}:
            for one in names:
                left.get(group, {}).pop(one, None)
    return left


def read_secret_files(values: Mapping[str, Any], called: NameSetting) -> dict[str, Any]:
    """Return the values of one source, with Kafka's properties and password read from files.

    Raises UsageError if a file cannot be read, or differs from the value set next to it.
    """
    found = {
        group: dict(content) if isinstance(content, Mapping) else content
        for group, content in values.items()
    }
    for group, name in (*_READ_LATER, _PASSWORD):
        content = found.get(group)
        if not isinstance(content, dict) or not content.get(f"{name}_file"):
            continue
        if name in content:
            _refuse_two(content, (group, name), called)
        elif (group, name) == _PASSWORD:
            content[name] = _content(content, (group, name))
    kafka = found.get("kafka")
    if isinstance(kafka, dict) and kafka.get("properties_file"):
        text = _content(kafka, _PROPERTIES)
        of_file = _json_object(text, "kafka.properties_file")
        kafka["properties"] = of_file | dict(kafka.get("properties", {}))
    return found


def _content(values: Mapping[str, Any], path: tuple[str, str]) -> str:
    group, name = path[0], f"{path[1]}_file"
    file = Path(str(values[name]))
    return read_text_file(file, f"The file {file} of {group}.{name}").strip()


def _refuse_two(values: Mapping[str, Any], path: tuple[str, str], called: NameSetting) -> None:
    if _content(values, path) != str(values[path[1]]).strip():
        of_file = called((path[0], f"{path[1]}_file"))
        raise UsageError(f"{called(path)} and {of_file} are both set, and differ: set one of them.")


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(f'{name} must hold a JSON object, such as {{"client.id": "goldpan"}}.')
    return value

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
    variables = {name.upper() for name, value in environ.items() if value}
    remaining = {group: dict(content) for group, content in values.items()}
    for group, name in (*_READ_LATER, _PASSWORD):
        names = (name, f"{name}_file")
        if variables & {variable_name((group, key)) for key in names}:
            for key in names:
                remaining.get(group, {}).pop(key, None)
    return remaining


def read_secret_files(values: Mapping[str, Any], name_of: NameSetting) -> dict[str, Any]:
    """Return the values of one source, with Kafka's properties and password read from files.

    Raises UsageError if a file cannot be read, or differs from the value set next to it.
    """
    merged = {
        group: dict(content) if isinstance(content, Mapping) else content
        for group, content in values.items()
    }
    for group, name in (*_READ_LATER, _PASSWORD):
        content = merged.get(group)
        if not isinstance(content, dict) or not content.get(f"{name}_file"):
            continue
        if name in content:
            _refuse_conflict(content, (group, name), name_of)
        elif (group, name) == _PASSWORD:
            content[name] = _read_file(content, (group, name))
    kafka = merged.get("kafka")
    if isinstance(kafka, dict) and kafka.get("properties_file"):
        text = _read_file(kafka, _PROPERTIES)
        of_file = _json_object(text, "kafka.properties_file")
        kafka["properties"] = of_file | dict(kafka.get("properties", {}))
    return merged


def _read_file(values: Mapping[str, Any], path: tuple[str, str]) -> str:
    group, name = path[0], f"{path[1]}_file"
    file = Path(str(values[name]))
    return read_text_file(file, f"The file {file} of {group}.{name}").strip()


def _refuse_conflict(
    values: Mapping[str, Any], path: tuple[str, str], name_of: NameSetting
) -> None:
    if _read_file(values, path) != str(values[path[1]]).strip():
        of_file = name_of((path[0], f"{path[1]}_file"))
        raise UsageError(f"{name_of(path)} and {of_file} are both set, and differ: set only one.")


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(f'{name} must hold a JSON object, such as {{"client.id": "goldpan"}}.')
    return value

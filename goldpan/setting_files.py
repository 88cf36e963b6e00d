"""Settings that have two names: ``<name>`` holds the value, ``<name>_file`` a file that holds it.

Both are one setting, so they are made one in each source (the environment, the TOML file) before
the one source is laid over the other. Two that differ in one source are refused.
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
"""Their rooms read the files themselves, when they need them."""

NameSetting = Callable[[tuple[str, str]], str]
"""Returns how a setting is called where it was set."""


def drop_overridden(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what a file sets without what the environment sets under either of its two names."""
    there = {name.upper() for name, value in environ.items() if value}
    left = {group: dict(content) for group, content in values.items()}
    for group, name in (*_READ_LATER, _PASSWORD):
        names = (name, f"{name}_file")
        if there & {variable_name((group, one)) for one in names}:
            for one in names:
                left.get(group, {}).pop(one, None)
    return left


def read_secret_files(values: Mapping[str, Any], called: NameSetting) -> dict[str, Any]:
    """Return the values of one source with Kafka's properties and password from their files.

    Raises UsageError if a file cannot be read, or holds another value than the one beside it.
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

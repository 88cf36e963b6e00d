"""Writes the page ``docs/settings.md``: ``python -m goldpan.settings_docs docs/settings.md``."""

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from goldpan.setting_names import variable_name
from goldpan.settings import Settings

_INTRODUCTION: Final = """\
# Settings

Written by `python -m goldpan.settings_docs docs/settings.md` from the settings classes; a test
holds it equal to them.

Each setting is an environment variable, or a key in a TOML file given with `--config FILE.toml`
(or named by `GOLDPAN_CONFIG`); the environment wins. An empty variable counts as not set.
`GOLDPAN_KAFKA__GROUP_ID=goldpan` in the environment is this in the file:

```toml
[kafka]
group_id = "goldpan"
```

An unknown key, in the file or in a variable that begins with `GOLDPAN_`, is an error (exit code
2); only what Kubernetes sets for a service of that name is passed over. Sizes are numbers of bytes
or texts such as `128MiB`. Secrets are never shown; each can also be read from a file.

Credentials for S3 come from the usual `AWS_…` variables, profiles or roles.
"""


def render_settings_page() -> str:
    """Return the page."""
    lines = [_INTRODUCTION]
    for group, field in Settings.model_fields.items():
        model = typing.cast("type[BaseModel]", field.annotation)
        lines += [f"## {group}", "", field.description or "", ""]
        lines += _table(group, model)
    return "\n".join(lines).rstrip() + "\n"


def _table(group: str, model: type[BaseModel]) -> Iterator[str]:
    yield "| variable | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split())
        cells = (f"`{variable_name((group, name))}`", _type(field), _default(field), meaning)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
    yield ""


def _type(field: FieldInfo) -> str:
    kind = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is dict:
        return "JSON object"
    if field.metadata and kind is int and any("parse_size" in repr(m) for m in field.metadata):
        return "size"
    names: dict[Any, str] = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Path: "path",
        SecretStr: "secret",
    }
    return names[kind]


def _without_none(annotation: Any) -> Any:
    """Return what is left of ``X | None``."""
    if get_origin(annotation) not in (types.UnionType, typing.Union):
        return annotation
    return next(kind for kind in get_args(annotation) if kind is not type(None))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == {}:
        return "none"
    if _type(field) == "size":
        return f"`{_size(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _size(value: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_settings_page(), encoding="utf-8")

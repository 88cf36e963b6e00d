"""The base class of settings groups, which refuses values of a wrong type or form.

The environment and env files of containers keep quotes and blanks that a shell would remove. TOML
has booleans where a number is expected, and comparisons with NaN never hold.
"""

import re
import types
import typing
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

_ODD_NUMBER: Final = re.compile(r"[-+]?(?:0\d|\d[\d_]*_)")
_ENDS: Final = ('"', "'", "\u201c", "\u201d", "\u2018", "\u2019", "`")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202f\u2060\ufeff]")


class SettingsGroup(BaseModel):
    """Base of all groups of settings: unknown names are errors, and values are immutable."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_of_its_type(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a value that pydantic would accept in another sense than the user meant."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        if kinds & {int, float}:
            _refuse_as_number(value)
        elif bool in kinds and not isinstance(value, bool | str):
            raise ValueError("must be true or false")
        elif kinds & {str, Path} and isinstance(value, str):
            _refuse_as_text(value)
            if Path in kinds and (value == "~" or value.startswith("~/")):
                raise ValueError("must not begin with ~, which only a shell replaces")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that a field may have, without None."""
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        return {*typing.get_args(annotation)} - {type(None)}
    return {annotation}


def _refuse_as_number(value: Any) -> None:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic's
    if isinstance(value, str) and _ODD_NUMBER.match(value.strip()):
        raise ValueError("must be a number in plain decimal digits")


def _refuse_as_text(value: str) -> None:
    if value != value.strip():
        raise ValueError("must not begin or end with a blank")
    if (value[:1] in _ENDS and value) or (value[-1:] in _ENDS and value):
        raise ValueError("must not be in quotes: an env file keeps them as part of the value")
    if _CONTROL.search(value):
        raise ValueError("must not have control or invisible characters")

"""Names of settings: the valid ones, suggestions for others, and how the user wrote them."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from schemas.errors import UsageError

PREFIX: Final = "GOLDPAN_"
CONFIG_VARIABLE: Final = "GOLDPAN_CONFIG"

# Kubernetes sets these in each pod for each service of the namespace. A service whose name begins
# with "goldpan" would otherwise look like a mistyped setting.
_SERVICE_LINK: Final = re.compile(
    r"GOLDPAN_(?:[A-Z0-9]+_)*(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)"
    r"(?:_(?:PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True, slots=True)
class SettingLeaf:
    """One setting: its path (group, name), and whether its value is a JSON object."""

    path: tuple[str, ...]
    is_mapping: bool

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return variable_name(self.path)


def variable_name(path: Sequence[str]) -> str:
    """Return the environment variable of a path, such as GOLDPAN_LAKE__URI."""
    return PREFIX + "__".join(path).upper()


def list_settings(model: type[BaseModel], at: tuple[str, ...] = ()) -> Iterator[SettingLeaf]:
    """Yield all settings of a model and of its nested models."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from list_settings(kind, (*at, name))
        else:
            yield SettingLeaf((*at, name), getattr(kind, "__origin__", None) is dict)


def check_environment(model: type[BaseModel], environ: Mapping[str, str]) -> None:
    """Raise UsageError for a variable with our prefix that is not a setting, or is not valid JSON.

    Also for one that is set twice, in upper and lower case, with different values. Empty variables
    count as not set.
    """
    known = {leaf.variable: leaf for leaf in list_settings(model)}
    spellings: dict[str, str] = {}
    for name, value in environ.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or not value or _is_ignored(upper):
            continue
        twin = spellings.setdefault(upper, name)
        if environ[twin] != value:
            raise UsageError(
                f"{twin} and {name} are the same setting with different values: set only one."
            )
        leaf = known.get(upper)
        if leaf is None:
            raise UsageError(f"{name} is not a setting{_suggestion(upper, known)}")
        if leaf.is_mapping and not _is_json_object(value):
            raise UsageError(f'{name} must be a JSON object, such as {{"name": "value"}}.')


def _is_ignored(name: str) -> bool:
    if name == CONFIG_VARIABLE:
        return True
    return "__" not in name and _SERVICE_LINK.fullmatch(name) is not None


def check_file(model: type[BaseModel], data: Mapping[str, Any], file: str) -> None:
    """Raise UsageError for an unknown key of a TOML file, or a group that is not a table."""
    groups: dict[str, dict[str, SettingLeaf]] = {}
    for leaf in list_settings(model):
        groups.setdefault(leaf.path[0], {})[leaf.path[-1]] = leaf
    for group, content in data.items():
        if group not in groups:
            raise UsageError(
                f"[{group}] in {file} is not a group of settings{_suggestion(group, groups)}"
            )
        if not isinstance(content, Mapping):
            raise UsageError(f"{group} in {file} must be a table: write [{group}] above its keys.")
        for name in content:
            if name not in groups[group]:
                raise UsageError(
                    f"{group}.{name} in {file} is not a setting{_suggestion(name, groups[group])}"
                )


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: a suggestion, if one is similar."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else "."


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class SettingSpelling:
    """Names settings as the user wrote them: as a variable, or as a key in a file."""

    environ: Mapping[str, str]
    file: str | None

    def of(self, path: Sequence[str]) -> str:
        """Return the name of the setting at ``path`` (group, name)."""
        name = variable_name(path)
        if self.file is None or any(key.upper() == name for key, v in self.environ.items() if v):
            return name
        return f"{'.'.join(path)} in {self.file}"

    def of_group(self, path: Sequence[str]) -> str:
        """Return the name of a group of settings."""
        return variable_name(path) + "__*" if self.file is None else f"[{'.'.join(path)}]"

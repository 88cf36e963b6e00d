"""The project's own lists of names, places, streets and words, read from `lists/*.yaml`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent / "lists"


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that are given together: `feminine` holds family names that only women bear."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    family_first: bool


class Lists:
    """All lists, each a tuple of strings, by file and name: `lists.words("places", "cities")`."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files: dict[str, dict[str, Any]] = {
            path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.yaml"))
        }

    def words(self, file: str, name: str) -> tuple[str, ...]:
        """A list of words; an underscore in the file stands for a space."""
        return tuple(word.replace("_", " ") for word in self._files[file][name].split())

    def patterns(self, file: str, name: str) -> tuple[str, ...]:
        """A list of patterns, which stand between vertical bars in the file."""
        return tuple(self._files[file][name].split("|"))

    def names(self, file: str) -> tuple[str, ...]:
        """The names of the lists in a file."""
        return tuple(self._files[file])

    @cached_property
    def cultures(self) -> dict[str, Culture]:
        """Given and family names by language or region."""
        return {
            name: Culture(
                given=tuple(w.replace("_", " ") for w in entry["given"].split()),
                family=tuple(
                    w.replace("_", " ")
                    for w in f"{entry['family']} {entry.get('feminine', '')}".split()
                ),
                family_first=entry.get("order") == "family_first",
            )
            for name, entry in self._files["names"].items()
        }

    @cached_property
    def templates(self) -> tuple[str, ...]:
        """The templates, one a line of `lists/templates.txt`; comments and empty lines left out."""
        lines = (_FOLDER / "templates.txt").read_text(encoding="utf-8").splitlines()
        return tuple(line.replace("\\n", "\n") for line in lines if line.strip() and line[0] != "#")

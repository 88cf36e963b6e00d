"""The project's lists of names, places, streets and words, read from `lists/*.yaml`."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from training.ner import outside

_FOLDER = Path(__file__).parent / "lists"


@dataclass(frozen=True, slots=True)
class Culture:
    """Given and family names of one culture; ``family_first`` is their usual order."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    family_first: bool


class Lists:
    """All lists, each a tuple of strings, by file and name: `lists.words("places", "cities")`."""

    def __init__(self, folder: Path = _FOLDER, *, outside: bool = False) -> None:
        """Read the files of a folder; ``outside`` adds names and text of installed packages."""
        self.outside = outside
        self._files: dict[str, dict[str, Any]] = {
            path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.yaml"))
        }

    def words(self, file: str, name: str) -> tuple[str, ...]:
        """Return a list of words; an underscore in the file is a space."""
        entry: Any = self._files[file]
        for key in name.split("/"):
            entry = entry[key]
        return _words(entry)

    def patterns(self, file: str, name: str) -> tuple[str, ...]:
        """Return a list of patterns, which are separated by vertical bars in the file."""
        return tuple(self._files[file][name].split("|"))

    def names(self, file: str) -> tuple[str, ...]:
        """Return the names of the lists in a file."""
        return tuple(self._files[file])

    @cached_property
    def cultures(self) -> dict[str, Culture]:
        """Return given and family names by language or region."""
        own = {
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
        more = outside.faker_names() if self.outside else {}
        return own | {
            locale: Culture(given=given, family=family, family_first=False)
            for locale, (given, family) in more.items()
        }

    @cached_property
    def templates(self) -> tuple[str, ...]:
        """Return the first English templates, one a line of `lists/templates.txt`."""
        return _templates("templates.txt")

    def templates_of(self, language: str) -> tuple[str, ...]:
        """Return the templates of a language; for English, those that were added later."""
        return _templates(f"templates_{language}.txt")


@cache
def _words(entry: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in entry.split())


def _templates(file: str) -> tuple[str, ...]:
    """Return the lines of a file of templates, without comments and blank lines."""
    lines = (_FOLDER / file).read_text(encoding="utf-8").splitlines()
    return tuple(line.replace("\\n", "\n") for line in lines if line.strip() and line[:2] != "# ")

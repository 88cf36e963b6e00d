"""Copies of tombstones and receipts outside of the lake, and a lake that is older than they are.

A lake that was put back from a backup knows nothing of the erasures since. Where a second place is
set (`LakeSettings.erasures_copy`), each erasure leaves its tombstones and its receipt there too, and
no table of the lake is opened while

- a tombstone of the copies is not in the lake, or is another one there, or
- a receipt of the copies speaks of an erasure that no receipt of the lake speaks of.

The second holds until the rows are gone: the receipt is what an erasure, or one that is applied
again (`batch.erase.reapply`), puts last. What is known of keys that were destroyed (`lake.key_checks`)
lies beside the tombstones, here and there.
"""  # noqa: E501 - one line

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lake.config import LakeSettings
from lake.key_checks import DESTROYED_PREFIX
from lake.location import LakeLocation
from lake.objects import ObjectStore
from schemas.errors import FatalError

ERASURES_FOLDER: Final = "erasures"
"""The folder of the lake in which tombstones and receipts lie."""
_BEGUN: Final = "copies.json"
_NOTE: Final = b'{"format": 1, "holds": "tombstones and receipts of a lake of goldpan"}\n'
RECEIPT_SUFFIX: Final = ".receipt.json"
RECEIPT_PATTERN: Final = re.compile(rf"([1-9][0-9]{{0,8}}){re.escape(RECEIPT_SUFFIX)}")
"""The name of a receipt, with the number of its erasure; see `receipt_name`."""
_TOMBSTONE: Final = re.compile(r"([1-9][0-9]{0,8})\.json")


@dataclass(frozen=True, slots=True)
class ErasureCopies:
    """The two places: ``there`` in the lake, ``kept`` outside of it."""

    there: ObjectStore
    kept: ObjectStore

    def begin(self) -> None:
        """Let the second place be one, if it is none yet."""
        self.kept.put_new(_BEGUN, _NOTE)

    def refuse_absent(self) -> None:
        """Raise FatalError if the second place was never begun: an empty one would know nobody."""
        if self.kept.find(_BEGUN) is None:
            raise FatalError(
                "nothing is kept at GOLDPAN_LAKE__ERASURES_COPY, so nobody can tell whether this "
                "lake is older than its erasures: mount it, or correct the address. If it is a new "
                "place, `goldpan lake init` begins it"
            )

    def keep(self) -> None:
        """Copy what the lake has and the second place lacks; tombstones first.

        Raises FatalError if the second place holds another content under such a name.
        """
        self._copy_destroyed(self.there, self.kept)
        paths = [path for path in _paths(self.there) if _number(path)]
        for path in sorted(paths, key=lambda one: bool(RECEIPT_PATTERN.fullmatch(one))):
            if not self.kept.put_new(path, self.there.get(path)):
                raise FatalError(
                    f"the copy of {ERASURES_FOLDER}/{path} holds another erasure than this lake: "
                    "GOLDPAN_LAKE__ERASURES_COPY is that of another lake, or this one was put back "
                    "from a backup and used before the erasures since were applied"
                )

    def bring_destroyed(self) -> None:
        """Let the lake know which keys were destroyed since it was backed up."""
        self._copy_destroyed(self.kept, self.there)

    def _copy_destroyed(self, one: ObjectStore, other: ObjectStore) -> None:
        for path, _ in list(one.walk(DESTROYED_PREFIX)):
            other.put_new(path, one.get(path))

    def newer(self) -> list[int]:
        """Return the numbers of the erasures that were made since this lake was backed up.

        Raises FatalError if the two places are not of one lake, or if a receipt is damaged.
        """
        here, kept = set(_paths(self.there)), set(_paths(self.kept))
        found = {number for path in kept - here if (number := _of(_TOMBSTONE, path))}
        missing = sorted(path for path in kept - here if _of(RECEIPT_PATTERN, path))
        if missing:
            told = set(_spoken_of(self.kept, missing))
            found |= told - set(
                _spoken_of(self.there, sorted(p for p in here if _of(RECEIPT_PATTERN, p)))
            )
        self._refuse_another(here & kept)
        return sorted(found)

    def _refuse_another(self, both: set[str]) -> None:
        """Compare the newest tombstone that both places have: a number is only given once."""
        newest = max((number for path in both if (number := _of(_TOMBSTONE, path))), default=0)
        path = f"{newest}.json"
        if newest and self.there.find(path) != self.kept.find(path):
            raise FatalError(
                f"{ERASURES_FOLDER}/{path} is another erasure than its copy outside of the lake: this lake "
                "was put back from a backup and used before the erasures since were applied. Put "
                "it back once more, and run `goldpan erase apply` before anything else"
            )


def receipt_name(number: int) -> str:
    """Return the name under which the receipt of an erasure lies."""
    return f"{number}{RECEIPT_SUFFIX}"


def open_erasure_copies(settings: LakeSettings) -> ErasureCopies | None:
    """Return the two places, None if no second one is set."""
    if settings.erasures_copy is None:
        return None
    return erasure_copies_at(settings, settings.erasures_copy)


def erasure_copies_at(settings: LakeSettings, uri: str) -> ErasureCopies:
    """Return the lake's place and one at an address."""
    there = LakeLocation(settings.uri, settings.s3_endpoint_url).files(ERASURES_FOLDER)
    return ErasureCopies(there, LakeLocation(uri, settings.s3_endpoint_url).files(""))


def refuse_outdated_lake(settings: LakeSettings) -> None:
    """Raise FatalError if persons were erased since this lake was backed up; see above.

    Or if the second place is not there, so that nobody can tell.
    """
    known = open_erasure_copies(settings)
    if known is None:
        return
    known.refuse_absent()
    newer = known.newer()
    if newer:
        raise FatalError(
            f"this lake is older than erasures that were made ({', '.join(map(str, newer))}), so "
            "it holds persons who were erased: run `goldpan erase apply` before anybody reads it"
        )


def _paths(store: ObjectStore) -> list[str]:
    return [path for path, _ in store.walk("")]


def _of(expression: re.Pattern[str], path: str) -> int:
    match = expression.fullmatch(path)
    return int(match[1]) if match else 0


def _number(path: str) -> int:
    return _of(_TOMBSTONE, path) or _of(RECEIPT_PATTERN, path)


def _spoken_of(store: ObjectStore, paths: list[str]) -> Iterator[int]:
    """Yield the numbers of the erasures that receipts speak of."""
    for path in paths:
        try:
            yield from map(int, json.loads(store.get(path))["erasures"])
        except (ValueError, KeyError, TypeError):
            raise FatalError(
                f"the receipt {path} cannot be read: put it back from a copy"
            ) from None

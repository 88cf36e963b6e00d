"""Which keys a lake was made with: a check value of each, by its purpose and its name.

A name alone says nothing: another secret under the same name gives other pseudonyms with the same
``k1:`` in front. So the first who uses a key puts the object ``<lake>/keys/<purpose>.<name>.json``,
once, with a value that is derived from the secret (an HMAC) and tells nothing of it; from then on a
secret that gives another value does not fit the name.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError

KEYS_FOLDER: Final = "keys"
"""The folder of the lake that ``files`` stands for in these functions."""
REDACTION_PURPOSE: Final = "redaction"
SEALING_PURPOSE: Final = "sealing"
SIGNING_PURPOSE: Final = "signing"
DESTROYED_PREFIX: Final = "destroyed/"
"""Begins the path, beside the tombstones (`lake.erasure_copies`), of what is known of a destroyed key."""

KEY_CHECK_FORMAT: Final = 1
_FILE: Final = re.compile(r"([a-z]+)\.([A-Za-z0-9_-]{1,16})\.json")


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What a key is for, its name, and its check value (hex digits)."""

    purpose: str
    key_id: str
    check: str

    @property
    def file(self) -> str:
        """Return the name of the object."""
        return f"{self.purpose}.{self.key_id}.json"

    def to_json(self) -> bytes:
        """Return the object's content: the same key gives the same bytes."""
        body = {
            "format": KEY_CHECK_FORMAT,
            "purpose": self.purpose,
            "key_id": self.key_id,
            "check": self.check,
        }
        return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


def matches_key_check(files: ObjectStore, one: KeyCheck, folder: str = "") -> bool | None:
    """Return whether a key is the one that is known under its name; None if none is.

    Raises FatalError if what is there is damaged, otherwise as the store does.
    """
    data = files.find(folder + one.file)
    return None if data is None else _read(data, one.file) == one


def put_key_check(files: ObjectStore, one: KeyCheck, folder: str = "") -> bool:
    """Let a key be the one of its name; return False if another was faster with another key."""
    return files.put_new(folder + one.file, one.to_json())


def list_key_checks(files: ObjectStore) -> Iterator[KeyCheck]:
    """Yield the keys that a lake knows, by purpose and name."""
    for path, _ in sorted(files.walk("")):
        if _FILE.fullmatch(path):
            yield _read(files.get(path), path)


def find_key_check(files: ObjectStore, purpose: str, key_id: str) -> KeyCheck | None:
    """Return the key that a lake knows for a purpose under a name, None if it knows none."""
    return next(
        (o for o in list_key_checks(files) if (o.purpose, o.key_id) == (purpose, key_id)), None
    )


def list_destroyed_keys(tombs: ObjectStore) -> list[KeyCheck]:
    """Return the keys that were destroyed and are refused for good, by purpose and name."""
    paths = sorted(path for path, _ in tombs.walk(DESTROYED_PREFIX))
    return [
        _read(tombs.get(path), file)
        for path in paths
        if _FILE.fullmatch(file := path.removeprefix(DESTROYED_PREFIX))
    ]


def _read(data: bytes, file: str) -> KeyCheck:
    where = f"{KEYS_FOLDER}/{file}"
    try:
        body = json.loads(data)
        if body["format"] != KEY_CHECK_FORMAT:
            raise FatalError(f"{where} has format {body['format']}: use the goldpan that wrote it")
        found = KeyCheck(str(body["purpose"]), str(body["key_id"]), str(body["check"]))
    except (ValueError, KeyError, TypeError):
        raise FatalError(f"{where} cannot be read: put it back from a copy of the lake") from None
    if found.file != file:
        raise FatalError(f"{where} is of another key: put the right file back")
    return found

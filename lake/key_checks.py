"""Check values of the keys that a lake was written with, by purpose and key name.

A name alone proves nothing: another secret under the same name gives other pseudonyms with the same
prefix ``k1:``. So the first use of a key writes the object ``<lake>/keys/<purpose>.<name>.json``,
once, with an HMAC of the secret that reveals nothing of it. From then on a secret with another
check value does not match the name.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lake.objects import ObjectStore
from schemas.errors import FatalError

KEYS_FOLDER: Final = "keys"
"""The folder of the lake that ``files`` is the store of in these functions."""
REDACTION_PURPOSE: Final = "redaction"
SEALING_PURPOSE: Final = "sealing"
SIGNING_PURPOSE: Final = "signing"
DESTROYED_PREFIX: Final = "destroyed/"
"""The prefix, in the folder of tombstones, of the check values of destroyed keys."""

KEY_CHECK_FORMAT: Final = 1
_FILE: Final = re.compile(r"([a-z]+)\.([A-Za-z0-9_-]{1,16})\.json")


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """The check value (hex digits) of a key, with the purpose and the name of the key."""

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


def matches_key_check(files: ObjectStore, key: KeyCheck, folder: str = "") -> bool | None:
    """Return whether a key is the one recorded under its name; None if none is recorded.

    Raises FatalError if the record is damaged, otherwise as the store does.
    """
    data = files.find(folder + key.file)
    return None if data is None else _read(data, key.file) == key


def put_key_check(files: ObjectStore, key: KeyCheck, folder: str = "") -> bool:
    """Record a key under its name; return False if another key was recorded first."""
    return files.put_new(folder + key.file, key.to_json())


def list_key_checks(files: ObjectStore) -> Iterator[KeyCheck]:
    """Yield the check values of a lake, by purpose and name."""
    for path, _ in sorted(files.walk("")):
        if _FILE.fullmatch(path):
            yield _read(files.get(path), path)


def find_key_check(files: ObjectStore, purpose: str, key_id: str) -> KeyCheck | None:
    """Return the check value that a lake has for a purpose and a name, None if there is none."""
    return next(
        (o for o in list_key_checks(files) if (o.purpose, o.key_id) == (purpose, key_id)), None
    )


def list_destroyed_keys(tombs: ObjectStore) -> list[KeyCheck]:
    """Return the keys that were destroyed and are refused from then on, by purpose and name."""
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
            raise FatalError(
                f"{where} has format {body['format']}: use the version of goldpan that wrote it"
            )
        check = KeyCheck(str(body["purpose"]), str(body["key_id"]), str(body["check"]))
    except (ValueError, KeyError, TypeError):
        raise FatalError(f"{where} cannot be read: restore it from a copy of the lake") from None
    if check.file != file:
        raise FatalError(f"{where} belongs to another key: restore the right file")
    return check

"""The names of fields that the contract does not know, for whoever wrote the record.

Nothing that runs beside a topic calls this: a name may be content (a map by e-mail address), so
quarantine, logs and metrics have the place of the record only.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from schemas.contract import CONTRACTS, Field, FieldType
from schemas.provenance import RecordKind
from schemas.surrogates import whole_text
from stream.decode.envelope import BYTE_ORDER_MARK
from stream.decode.openai_chat import OtherShapeError, as_contract, is_openai_chat

_MOST: Final = 5
_NAME: Final = re.compile(
    r"(?:(?:request|response)\.)?(?:choices\[0\]\.(?:message\.)?)?[A-Za-z_][A-Za-z0-9_.-]{0,63}"
)
_ALIKE: Final = 0.6


def unknown_fields(kind: RecordKind, value: bytes) -> list[str]:
    """Return the paths of the unknown fields of a JSON record, with the nearest known name.

    Of many the first few; nothing for what is no JSON.
    """
    try:
        document = msgspec.json.decode(whole_text(value.removeprefix(BYTE_ORDER_MARK)))
        if kind is RecordKind.TRACE and is_openai_chat(document):
            document = as_contract(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OtherShapeError):
        return []
    found = []
    for path, near in _strangers(document, CONTRACTS[kind].fields, ""):
        found.append(f"{path} (is it {near}?)" if near else path)
        if len(found) == _MOST:
            break
    return found


def _strangers(
    document: Any, fields: tuple[Field, ...], prefix: str
) -> Iterator[tuple[str, str | None]]:
    if not isinstance(document, Mapping):
        return
    known = {name: field for field in fields for name in (field.name, *field.aliases)}
    for name, value in document.items():
        field = known.get(name)
        if field is None:
            if not _NAME.fullmatch(name):
                continue  # a key that is no name may be a value, such as an address
            asked = "" if "." in name else name.casefold()  # `request.x` is a name of theirs
            near = get_close_matches(asked, list(known), 1, _ALIKE)
            yield f"{prefix}{name}", near[0] if near else None
        elif field.type is FieldType.RECORDS and isinstance(value, list):
            for number, one in enumerate(value):
                yield from _strangers(one, field.fields, f"{prefix}{name}[{number}].")

"""The names of fields that the contract does not know, for whoever wrote the record.

Nothing that runs beside a topic calls this: a name may be content (a map by e-mail address), so
quarantine, logs and metrics have the place of the record only.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from decode.openai_chat import UnmappableRecordError, is_openai_chat, map_to_contract
from decode.wire_format import BYTE_ORDER_MARK
from schemas.contract import CONTRACTS, ContractField, FieldType
from schemas.record_batches import RecordKind
from schemas.surrogates import replace_lone_surrogates

_MOST: Final = 5
_NAME: Final = re.compile(
    r"(?:(?:request|response)\.)?(?:choices\[0\]\.(?:message\.)?)?[A-Za-z_][A-Za-z0-9_.-]{0,63}"
)
_ALIKE: Final = 0.6


def find_unknown_fields(kind: RecordKind, value: bytes) -> list[str]:
    """Return the paths of the unknown fields of a JSON record, with the nearest known name.

    Of many the first few; nothing for what is no JSON.
    """
    try:
        document = msgspec.json.decode(replace_lone_surrogates(value.removeprefix(BYTE_ORDER_MARK)))
        if kind is RecordKind.TRACE and is_openai_chat(document):
            document = map_to_contract(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnmappableRecordError):
        return []
    found = []
    for path, near in _strangers(document, CONTRACTS[kind].fields, ""):
        found.append(f"{path} (is it {near}?)" if near else path)
        if len(found) == _MOST:
            break
    return found


def _strangers(
    document: Any, fields: tuple[ContractField, ...], prefix: str
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

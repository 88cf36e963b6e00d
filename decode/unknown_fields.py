"""Lists the fields of a record that the contract does not know, for its producer.

Nothing that processes a topic calls this: a field name may be content (a map keyed by e-mail
address). Quarantine, logs and metrics contain only the record's coordinates.
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

_MAX_FIELDS: Final = 5
_NAME: Final = re.compile(
    r"(?:(?:request|response)\.)?(?:choices\[0\]\.(?:message\.)?)?[A-Za-z_][A-Za-z0-9_.-]{0,63}"
)
_MIN_SIMILARITY: Final = 0.6


def find_unknown_fields(kind: RecordKind, value: bytes) -> list[str]:
    """Return the paths of a JSON record's unknown fields, each with the nearest known name.

    Returns only the first few; nothing if the value is not JSON.
    """
    try:
        document = msgspec.json.decode(replace_lone_surrogates(value.removeprefix(BYTE_ORDER_MARK)))
        if kind is RecordKind.TRACE and is_openai_chat(document):
            document = map_to_contract(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnmappableRecordError):
        return []
    paths = []
    for path, near in _walk_unknown(document, CONTRACTS[kind].fields, ""):
        paths.append(f"{path} (is it {near}?)" if near else path)
        if len(paths) == _MAX_FIELDS:
            break
    return paths


def _walk_unknown(
    document: Any, fields: tuple[ContractField, ...], prefix: str
) -> Iterator[tuple[str, str | None]]:
    if not isinstance(document, Mapping):
        return
    field_of = {name: field for field in fields for name in (field.name, *field.aliases)}
    for name, value in document.items():
        field = field_of.get(name)
        if field is None:
            if not _NAME.fullmatch(name):
                continue  # a key that is not an identifier may be content, such as an address
            lookup = "" if "." in name else name.casefold()  # `request.x` is OpenAI's
            near = get_close_matches(lookup, list(field_of), 1, _MIN_SIMILARITY)
            yield f"{prefix}{name}", near[0] if near else None
        elif field.type is FieldType.RECORDS and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _walk_unknown(item, field.fields, f"{prefix}{name}[{index}].")

"""Reads JSON records, in the shape of the contract or of OpenAI's chat completions."""

import re
from json import loads
from typing import Any, Final, Generic, TypeVar

import msgspec

from decode.explainer import ErrorExplainer, RecordPath, refuse_bad_text, refuse_not_finite
from decode.leap_seconds import replace_leap_seconds
from decode.openai_chat import OPENAI_CHAT, UnmappableRecordError, is_openai_chat, map_to_contract
from decode.refusal import Refusal
from decode.wire_format import BYTE_ORDER_MARK
from schemas.contract import Contract
from schemas.reasons import QuarantineReason
from schemas.records import Trace
from schemas.surrogates import replace_lone_surrogates

RecordT = TypeVar("RecordT", bound=msgspec.Struct)

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the typed decoder raises for an invalid value (`ValidationError` is a subclass)."""


class JsonReader(Generic[RecordT]):
    """Reads JSON of one kind of record. A valid record needs only the typed decoder.

    ``typed`` is that decoder alone: it raises one of ``DECODE_ERRORS`` without a reason.
    """

    def __init__(self, contract: Contract, record_type: type[RecordT]) -> None:
        self.typed = msgspec.json.Decoder(record_type).decode
        self._contract, self._schema = contract, contract.fingerprint
        self._traces = record_type is Trace
        self._explainer = ErrorExplainer(contract)

    def read(self, value: bytes) -> tuple[RecordT, str] | Refusal:
        """Return the record and its schema's name, or why the value is invalid.

        Never raises because of the value's content. Unpaired surrogates become U+FFFD.
        """
        if value.startswith(BYTE_ORDER_MARK):
            value = value[len(BYTE_ORDER_MARK) :]
        value = replace_lone_surrogates(value)
        try:
            return self.typed(value), self._schema
        except msgspec.ValidationError as error:
            return self._read_other_shape(value) or self._explainer.explain(str(error))
        except DECODE_ERRORS as error:
            return self._diagnose(value, str(error))

    def _read_other_shape(self, value: bytes) -> tuple[RecordT, str] | Refusal | None:
        """Read a value of another known shape; None if it has none.

        Invalid JSON has no shape, so its unknown fields are not reported as the problem.
        """
        try:
            document = msgspec.json.decode(value)
        except DECODE_ERRORS as error:  # after the field that the typed reading stopped at
            fault = self._find_syntax_fault(value, str(error))
            return None if fault and fault.reason is QuarantineReason.TOO_DEEP else fault
        leaps = replace_leap_seconds(document, self._contract)
        openai = self._traces and is_openai_chat(document)
        if not leaps and not openai:
            return None
        try:
            plain = msgspec.json.encode(map_to_contract(document) if openai else document)
            schema = f"{self._schema}+{OPENAI_CHAT}" if openai else self._schema
            return self.typed(plain), schema
        except msgspec.ValidationError as error:
            return self._explainer.explain(str(error))
        except UnmappableRecordError as error:
            return Refusal(QuarantineReason.WRONG_TYPE, error.detail, error.field)
        except (OverflowError, RecursionError):  # numbers of any size, and arguments of any depth
            return None

    def _diagnose(self, value: bytes, message: str) -> Refusal:
        """Return why a value is not JSON."""
        return self._find_syntax_fault(value, message) or _NOT_JSON

    def _find_syntax_fault(self, value: bytes, message: str) -> Refusal | None:
        """Find the reason by parsing again with a more tolerant parser; None if that one accepts
        it.
        """
        try:
            document = loads(
                value.decode("utf-8", "surrogateescape"),
                parse_int=_zero,
                parse_float=_zero,
                parse_constant=_constant,
            )
        except RecursionError:
            return Refusal(QuarantineReason.TOO_DEEP, "The JSON document is nested too deep.")
        except ValueError:
            return _syntax(value, message)
        return self._find_bad_value(document)

    def _find_bad_value(self, document: Any) -> Refusal | None:
        """Return the first fault that the tolerant parser accepts: broken text, or a number that is
        not finite.
        """
        pending: list[tuple[list[str | int], Any]] = [([], document)]
        while pending:
            steps, node = pending.pop()
            if node is _NOT_A_NUMBER:
                return refuse_not_finite(self._locate(steps))
            if isinstance(node, str) and _SURROGATE.search(node):
                return refuse_bad_text(self._locate(steps))
            if isinstance(node, dict):
                if any(_SURROGATE.search(key) for key in node):
                    return refuse_bad_text(self._locate(steps))
                pending.extend(([*steps, key], child) for key, child in node.items())
            elif isinstance(node, list):
                pending.extend(([*steps, index], child) for index, child in enumerate(node))
        return None

    def _locate(self, steps: list[str | int]) -> RecordPath:
        return self._explainer.locate(steps)


def _syntax(value: bytes, message: str) -> Refusal:
    if _is_not_utf8(value):
        return Refusal(QuarantineReason.BAD_TEXT, "The value is not valid UTF-8.")
    if message == "Input data was truncated":
        return Refusal(QuarantineReason.TRUNCATED, "The JSON document ends before it is complete.")
    if message.startswith("JSON is malformed: trailing characters"):
        return Refusal(
            QuarantineReason.TRAILING_BYTES, "Something follows after the end of the JSON object."
        )
    return _NOT_JSON


def _is_not_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _zero(_: str) -> int:
    return 0


def _constant(_: str) -> object:
    return _NOT_A_NUMBER


_NOT_A_NUMBER: Final = object()
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NOT_JSON: Final = Refusal(QuarantineReason.NOT_JSON, "The value is not a JSON document.")

"""The closed list of reasons for quarantining a record."""

from enum import StrEnum


class QuarantineReason(StrEnum):
    """Why a record was quarantined. The value is stored in the column ``reason`` of quarantine.

    ``meaning`` is a sentence for people.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "QuarantineReason":
        """Create a member from its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    TOMBSTONE = "tombstone", "The value is null: Kafka's mark for a deleted key."
    EMPTY = "empty", "The value has no bytes, or nothing but white space."
    TOO_LARGE = "too_large", "The value is longer than the setting allows."

    UNKNOWN_FORMAT = "unknown_format", "Neither framed Avro, nor single-object Avro, nor text."
    UNKNOWN_SCHEMA = "unknown_schema", "The schema it was written with cannot be found."
    INCOMPATIBLE_SCHEMA = (
        "incompatible_schema",
        "The schema it was written with cannot be read as the contract.",
    )
    TRUNCATED = "truncated", "It ends in the middle of a value."
    TRAILING_BYTES = "trailing_bytes", "Something follows after its end."
    MALFORMED = "malformed", "The bytes are no Avro record of the schema they name."
    NOT_JSON = "not_json", "It is text, but no JSON document."
    NOT_AN_OBJECT = "not_an_object", "It is a JSON document, but no object."
    TOO_DEEP = "too_deep", "It is nested deeper than any record of the contract."
    BAD_TEXT = (
        "bad_text",
        "It holds text that is not valid Unicode (broken UTF-8, half of a surrogate pair).",
    )

    WRONG_TYPE = "wrong_type", "A field holds another type than the contract says."
    MISSING_FIELD = "missing_field", "A field that the contract requires is not there."
    UNKNOWN_FIELD = (
        "unknown_field",
        "There is a field that the contract does not know: nobody has said whether it is personal.",
    )
    OUT_OF_RANGE = "out_of_range", "A value is outside what the contract allows for its field."
    NOT_FINITE = "not_finite", "A number is NaN or infinite."

    REDACTION_FAILED = "redaction_failed", "Redaction could not work on it."
    REDACTION_TIMEOUT = (
        "redaction_timeout",
        "Not given any more: redaction took longer than the setting allowed.",
    )
    PERSONAL_ID = (
        "personal_id",
        "An id that names the record holds something personal, so it cannot be stored.",
    )
    RESIDUAL_PII = "residual_pii", "Personal data was still found after redaction."

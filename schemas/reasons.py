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
    EMPTY = "empty", "The value has no bytes, or only white space."
    TOO_LARGE = "too_large", "The value is longer than the setting allows."

    UNKNOWN_FORMAT = (
        "unknown_format",
        "The value is neither Avro (framed or single-object) nor text.",
    )
    UNKNOWN_SCHEMA = (
        "unknown_schema",
        "The schema that the record was written with cannot be found.",
    )
    INCOMPATIBLE_SCHEMA = (
        "incompatible_schema",
        "The schema that the record was written with does not fit the contract.",
    )
    TRUNCATED = "truncated", "The record ends in the middle of a value."
    TRAILING_BYTES = "trailing_bytes", "Something follows the end of the record."
    MALFORMED = "malformed", "The bytes do not match the schema that they name."
    NOT_JSON = "not_json", "The value is text, but not a JSON document."
    NOT_AN_OBJECT = "not_an_object", "The value is a JSON document, but not an object."
    TOO_DEEP = "too_deep", "The record is nested deeper than the contract allows."
    BAD_TEXT = (
        "bad_text",
        "A text is not valid Unicode (broken UTF-8, half of a surrogate pair).",
    )

    NOT_SIGNALS = (
        "not_signals",
        "The value is no request of OpenTelemetry, or of the product whose format the topic has.",
    )
    INVALID_ITEM = (
        "invalid_item",
        "A span, a log record, a run or a feedback breaks a rule of its format.",
    )

    WRONG_TYPE = "wrong_type", "A field has another type than the contract requires."
    MISSING_FIELD = "missing_field", "A field that the contract requires is missing."
    UNKNOWN_FIELD = (
        "unknown_field",
        "A field is not in the contract, so its class of personal data is unknown.",
    )
    OUT_OF_RANGE = "out_of_range", "A value is outside what the contract allows for its field."
    NOT_FINITE = "not_finite", "A number is NaN or infinite."

    REDACTION_FAILED = "redaction_failed", "The record could not be redacted."
    REDACTION_TIMEOUT = (
        "redaction_timeout",
        "No longer used: redaction took longer than the setting allowed.",
    )
    PERSONAL_ID = (
        "personal_id",
        "The record's own id holds personal data, so the record cannot be stored.",
    )
    RESIDUAL_PII = "residual_pii", "Personal data was still found after redaction."

"""Values of every type, and the disguises in which they are planted; used by tests of leaks."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.redact.kit import NOW, minimal

CANARIES = {
    "EMAIL_ADDRESS": "zora.quill@example.com",
    "internal mail": "zora@mail.corp.internal",
    "PHONE_NUMBER": "+1 212 555 0187",
    "CREDIT_CARD": "4012 8888 8888 1881",
    "US_SSN": "536-90-4399",
    "IBAN_CODE": "DE89370400440532013000",
    "IP_ADDRESS": "203.0.113.77",
    "IPv6": "2001:db8:85a3::8a2e:370:7334",
    "MAC_ADDRESS": "00:1A:2B:3C:4D:5E",
    "STREET_ADDRESS": "4821 Juniper Lane",
    "SECRET": "sk-Zq8vT2mN4xR6wL1pK9sD",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "GitHub": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "DSN": "postgres://zora:Pa55w0rd@db.example.com:5432/app",
}
AROUND = ("in escaped JSON", "after a literal newline")
"""Disguises of the text around a value."""

LABELLED = {
    "DATE_OF_BIRTH": ("date of birth: ", "1987-11-23"),
    "password": ("password: ", "Tr0ub4dor&3x"),
    "USER_ID": ("my user id is ", "zora_quill_4821"),
    "PERSON": ("My name is ", "Zora Quill"),
}

DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda v: v,
    "full width": lambda v: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "zero width": "\u200b".join,
    "soft hyphen": lambda v: v[:3] + "\u00ad" + v[3:],
    "percent": lambda v: quote(v, safe=""),
    "all percent": lambda v: "".join(f"%{ord(c):02x}" for c in v),
    "unicode escapes": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "entities": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "in escaped JSON": lambda v: json.dumps(json.dumps({"note": f"see {v} there"})),
    "after a literal newline": lambda v: f"line\\n{v}\\nline",
}


def planted(kind: str, disguise: str) -> tuple[str, str, str]:
    """Return a text with a disguised value, the value, and its disguised form."""
    label, value = ("", CANARIES[kind]) if kind in CANARIES else LABELLED[kind]
    hidden = DISGUISES[disguise](value)
    said = DISGUISES[disguise](label + value) if disguise in AROUND else label + hidden
    return f"{said} ok", value, hidden


def everywhere(text: str) -> dict[str, Any]:
    """Return a trace with a text in every field that may hold one."""
    call = {"id": "c", "name": "f", "arguments": json.dumps({"q": text})}
    return minimal(
        error_message=text,
        response=text,
        messages=[
            {"role": "user", "content": text},
            {"role": "tool", "content": json.dumps([{"deep": {"er": text}}]), "name": text},
            {"role": "assistant", "content": f"so: {text}", "tool_calls": [call]},
        ],
        retrieved=[{"document_id": "d", "text": text}],
        tool_calls=[call | {"result": text, "error": text}],
        attributes={"note": text, text: "x"},
        segments={"s": text},
    )


def said_as_feedback(text: str) -> dict[str, Any]:
    """Return feedback with a text in every field that people write."""
    return {
        "feedback_id": "f",
        "trace_id": "t",
        "kind": "comment",
        "comment": f"about {text} there",
        "corrected_response": text,
        "actor": "end_user",
        "occurred_at": NOW,
        "attributes": {"a": text},
    }

"""The 47 faults that the mock server of jevcompat 0.1.1 can be given, and what becomes of each.

``VERDICT`` stands where a fault leaves the answer to a judge's question whole: the client asks one
question, by an id of plain letters, with text as its state, and reads the probability alone. The
faults are written anew here, for the server of these tests. `test_jevcompat` plays them on the mock
itself and expects the same.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from judges.outcome import JudgeErrorReason

VERDICT: Final = "verdict"
"""The outcome is what the server means to say."""
Expected = JudgeErrorReason | str
Document = dict[str, Any]
Broken = Callable[[Document, Document], tuple[int, bytes]]
"""Returns status and body of a reply, for a request and the reply of a server without fault."""


@dataclass(frozen=True)
class JevFault:
    """A fault.

    ``server_key`` is the key that the server requires, ``sent_key`` the one that it gets, and
    ``model`` the one that is asked for, where the fault shows with these alone.
    """

    name: str
    expected: Expected
    broken: Broken
    server_key: str | None = None
    sent_key: str | None = None
    model: str = "jev-1.13.0"


def _whole(_request: Document, answer: Document) -> tuple[int, bytes]:
    return 200, json.dumps(answer).encode()


def _refuses(status: int, body: bytes, when: Callable[[Document], bool]) -> Broken:
    def broken(request: Document, answer: Document) -> tuple[int, bytes]:
        return (status, body) if when(request) else _whole(request, answer)

    return broken


def _says(change: Callable[[Document], object]) -> Broken:
    def broken(request: Document, answer: Document) -> tuple[int, bytes]:
        change(answer)
        return _whole(request, answer)

    return broken


def _always(_request: Document) -> bool:
    return True


def _detail(kind: str) -> bytes:
    return json.dumps({"detail": {"error_type": kind, "message": "No."}}).encode()


_INVALID: Final = json.dumps({"detail": [{"loc": ["body"], "msg": "No.", "type": "x"}]}).encode()


def _invalid(when: Callable[[Document], bool]) -> Broken:
    return _refuses(422, _INVALID, when)


def _questions(request: Document) -> list[tuple[str, Mapping[str, Any]]]:
    return list(request["questions"].items())


def _any_question(wrong: Callable[[Mapping[str, Any]], bool]) -> Callable[[Document], bool]:
    return lambda request: any(wrong(question) for _, question in _questions(request))


def _criteria(question: Mapping[str, Any], kind: str) -> Any:
    return question.get("criteria") if question["type"] == kind else None


def _noul(answer: Document) -> Document:
    found: Document = answer["answers"]["verdict"]
    return found


def _leak(answer: Document) -> None:
    _noul(answer)["noul"] += 0.01


FAULTS: Final = tuple(
    JevFault(*fault) if isinstance(fault, tuple) else fault
    for fault in (
        ("wrong-route", "unavailable", _refuses(404, _detail("not_found"), _always)),
        ("xssi-200", "contradictory", lambda q, a: (200, b")]}'\n" + _whole(q, a)[1])),
        ("plain-content-type", VERDICT, _whole),
        JevFault("text-errors", "refused", _refuses(400, b"Unknown model", _always), model="x-1"),
        ("models-404", VERDICT, _whole),
        JevFault(
            "auth-rejects-header",
            "unavailable",
            _refuses(401, _detail("authentication_error"), _always),
            sent_key="ours",
        ),
        JevFault(
            "auth-x-api-key",
            "unavailable",
            _refuses(403, _detail("authentication_error"), _always),
            server_key="ours",
            sent_key="ours",
        ),
        JevFault(
            "auth-plain", "unavailable", _refuses(401, b"Unauthorized", _always), server_key="ours"
        ),
        JevFault(
            "auth-invalid-403-text",
            "unavailable",
            _refuses(401, b'{"error": "bad key"}', _always),
            server_key="another",
            sent_key="ours",
        ),
        ("reject-array-state", VERDICT, _invalid(lambda q: isinstance(q["state"], list))),
        JevFault(
            "reject-jev-latest",
            "unavailable",
            _refuses(404, _detail("not_found"), _always),
            model="jev-latest",
        ),
        ("first-question-only", VERDICT, _invalid(lambda q: len(_questions(q)) > 1)),
        (
            "strict-ids",
            VERDICT,
            _invalid(lambda q: not all(name.isidentifier() for name, _ in _questions(q))),
        ),
        ("nfd-keys", VERDICT, _whole),
        (
            "forbid-extra",
            VERDICT,
            _invalid(lambda q: bool(set(q) - {"model", "state", "questions"})),
        ),
        (
            "string-only-text",
            VERDICT,
            _invalid(_any_question(lambda q: not isinstance(q["instructions"], str))),
        ),
        (
            "noul-two-sided",
            VERDICT,
            _invalid(_any_question(lambda q: _criteria(q, "noul") is not None)),
        ),
        (
            "noul-needs-instructions",
            VERDICT,
            _invalid(_any_question(lambda q: not q.get("instructions"))),
        ),
        (
            "no-null-description",
            VERDICT,
            _invalid(_any_question(lambda q: None in (_criteria(q, "choice") or {}).values())),
        ),
        ("cap-64", VERDICT, _invalid(_any_question(lambda q: len(q.get("criteria") or ()) > 64))),
        ("cap-5-levels", VERDICT, _invalid(_any_question(lambda q: q["type"] == "score"))),
        ("accept-map-score", VERDICT, _invalid(_any_question(lambda q: q["type"] == "score"))),
        ("no-usage", VERDICT, _says(lambda a: a.pop("usage"))),
        (
            "float-usage",
            VERDICT,
            _says(lambda a: a.update(usage={"input_tokens": 120.0, "output_tokens": 1.0})),
        ),
        (
            "extra-answer",
            "contradictory",
            _says(lambda a: a["answers"].update(__extra__={"type": "noul", "noul": 0.5})),
        ),
        ("boolean-type", "unparsable", _says(lambda a: _noul(a).update(type="boolean"))),
        ("nan", "unparsable", _says(lambda a: a.update(x_debug=float("nan")))),
        ("unprefixed-extra", VERDICT, _says(lambda a: a.update(latency_ms=1))),
        ("noul-range", "unparsable", _says(lambda a: _noul(a).update(noul=1.4))),
        ("choice-no-confidence", VERDICT, _whole),
        ("choice-key-case", VERDICT, _whole),
        ("choice-sum", VERDICT, _whole),
        ("choice-second", VERDICT, _whole),
        ("score-no-legend", VERDICT, _whole),
        ("legend-1-based", VERDICT, _whole),
        ("score-keys-1-based", VERDICT, _whole),
        ("score-sum", VERDICT, _whole),
        ("score-argmax", VERDICT, _whole),
        ("confidence-over", VERDICT, _says(lambda a: _noul(a).update(confidence=1.5))),
        ("confidence-margin", VERDICT, _says(lambda a: _noul(a).update(confidence=0.01))),
        (
            "500-on-unknown-type",
            VERDICT,
            _refuses(
                500,
                _detail("internal_error"),
                _any_question(lambda q: q["type"] not in ("noul", "choice", "score")),
            ),
        ),
        ("accept-boolean", VERDICT, _invalid(_any_question(lambda q: q["type"] == "boolean"))),
        ("validation-400", VERDICT, _refuses(400, b'{"error": "No."}', lambda q: "state" not in q)),
        JevFault(
            "error-flat",
            "refused",
            _refuses(400, b'{"error": "Unknown model: x-1"}', _always),
            model="x-1",
        ),
        ("id-leaks", VERDICT, _says(_leak)),
        ("batch-leaks", VERDICT, _says(_leak)),
        ("order-leaks", VERDICT, _says(_leak)),
    )
)

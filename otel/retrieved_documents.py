"""Reads retrieved documents in the shapes that SDKs write: with an id, a score and a text."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel.json_documents import parse_json
from otel.span_view import FieldOrigin, SpanView

_IDS: Final = ("id", "document_id", "doc.id", "document.id", "doc_id")
_TEXTS: Final = ("content", "page_content", "text", "doc.text", "document.content", "doc.content")
_SCORES: Final = ("score", "doc.score", "document.score", "relevance_score")
_METADATA_IDS: Final = ("id", "document_id", "doc_id", "doc_uri")


def read_documents(view: SpanView) -> tuple[list[dict[str, Any]], FieldOrigin] | None:
    """Return the documents of a span, from the place that names their ids if there is one."""
    candidates = []
    for reading in view.read_all("documents"):
        documents = list(_read_list(reading.value))
        if documents:
            candidates.append((documents, reading.origin))
    if not candidates:
        return None
    with_ids = (c for c in candidates if not any(_is_hash(d) for d in c[0]))
    return next(with_ids, candidates[0])


def _read_list(value: Any) -> Iterator[dict[str, Any]]:
    value = parse_json(value)
    if not isinstance(value, list):
        return
    for item in value:
        fields = parse_json(item)
        if isinstance(fields, dict):
            document = _read_document(fields)
            if document is not None:
                yield document


def _read_document(item: Mapping[str, Any]) -> dict[str, Any] | None:
    inner = item.get("document")
    item = {**item, **inner} if isinstance(inner, dict) else item
    metadata = parse_json(item.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    text = _first(item, _TEXTS)
    text = text if isinstance(text, str) else None
    document_id = _first(item, _IDS) or _first(metadata, _METADATA_IDS)
    if document_id is None and not text:
        return None
    score = _first(item, _SCORES)
    score = metadata.get("score") if score is None else score
    return {
        "document_id": str(document_id) if document_id is not None else _hash(text or ""),
        "score": _read_score(score),
        "text": text,
    }


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if item.get(key) not in (None, "")), None)


def _read_score(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e15 else None


def _hash(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_hash(document: Mapping[str, Any]) -> bool:
    return str(document["document_id"]).startswith("sha256:")

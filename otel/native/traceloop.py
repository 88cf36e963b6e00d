"""Decodes Traceloop's user feedback (``/v2/annotation-tasks/<task>/annotations``).

Its target is an entity of the application: ``traceloop.association.properties.chat_id``.
"""

from collections.abc import Mapping
from typing import Any

from otel.json_documents import content_digest
from otel.native.native_json import parse_body, read_optional, read_time
from otel.signals import DecodedSignals, ProductFeedback, RejectedItem, refuse_signals


def decode_traceloop(value: bytes) -> DecodedSignals:
    """Return one feedback for each tag of an annotation."""
    document = parse_body(value)
    if not isinstance(document, dict):
        return refuse_signals("not a Traceloop body: no JSON object")
    entity = _read_entity(document)
    tags = document.get("tags")
    if entity is None or not isinstance(tags, dict):
        reason = "the annotation has no entity id or no tags"
        return DecodedSignals(rejected=(RejectedItem(0, reason, lambda: value),))
    base = content_digest(document)
    actor = document.get("actor")
    actor = actor if isinstance(actor, dict) else {}
    return DecodedSignals(
        feedback=tuple(
            ProductFeedback(
                feedback_id=f"traceloop-{base}-{index}",
                name=str(name),
                value=tag,
                comment=read_optional(tags, "comment"),
                target_kind="entity",
                target_id=entity,
                time_ns=read_time(document.get("created_at")),
                user_id=read_optional(actor, "id") if actor.get("type") == "user" else None,
                source=str(document.get("flow", "")),
                index=index,
            )
            for index, (name, tag) in enumerate(tags.items())
            if name != "comment"
        )
    )


def _read_entity(document: Mapping[str, Any]) -> str | None:
    entity = document.get("entity")
    return (
        read_optional(document, "entity_instance_id")
        or read_optional(document, "entity_id")
        or (read_optional(entity, "id") if isinstance(entity, dict) else None)
    )

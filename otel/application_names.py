"""Common spellings of the attributes that applications set themselves, valid in every dialect."""

from collections.abc import Mapping
from typing import Final

from otel.dialect import FieldName
from otel.sources import Source, attribute, events, resource

APPLICATION_FIELDS: Final[Mapping[FieldName, tuple[Source, ...]]] = {
    "session_id": (
        attribute("session.id"),
        attribute("gen_ai.conversation.id"),
        attribute("session_id"),
        attribute("app.session.id"),
        attribute("conversation.id"),
        attribute("conversation_id"),
        attribute("thread.id"),
        attribute("thread_id"),
    ),
    "user_id": (
        attribute("user.id"),
        attribute("enduser.id"),
        attribute("user_id"),
        attribute("app.user.id"),
        attribute("customer.id"),
    ),
    "prompt_version": (
        attribute("app.prompt.version"),
        attribute("prompt.version"),
        attribute("prompt_version"),
        attribute("gen_ai.prompt.version"),
        attribute("llm.prompt_template.version"),
    ),
    "tool_name": (attribute("gen_ai.tool.name"), attribute("tool.name")),
    "tool_call_id": (attribute("gen_ai.tool.call.id"), attribute("tool_call_id")),
    "tool_arguments": (
        attribute("gen_ai.tool.call.arguments"),
        attribute("app.tool.args"),
        attribute("app.tool.arguments"),
        attribute("tool.args"),
        attribute("tool.arguments"),
        attribute("tool.input"),
    ),
    "tool_result": (
        attribute("gen_ai.tool.call.result"),
        attribute("app.tool.result"),
        attribute("tool.result"),
        attribute("tool.output"),
    ),
    "documents": (
        events("retrieved_chunk"),
        events("retrieved_document"),
        events("gen_ai.retrieval.document"),
        events("document"),
    ),
    "error_type": (attribute("error.type"),),
    "app": (resource("service.name"), resource("openinference.project.name")),
    "environment": (
        resource("deployment.environment.name"),
        resource("deployment.environment"),
    ),
    "app_version": (resource("service.version"),),
}
"""Read after the dialect's own places."""

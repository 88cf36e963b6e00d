"""Settings of how spans and feedback are read: names of attributes, scales, prices."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otel.dialect import FieldName
from otel.feedback_scale import DEFAULT_SCALES, FeedbackScale, ScaleKind
from otel.sources import attribute, resource
from otel.span_view import ExtraFields
from schemas.settings import SettingsGroup

OwnField = Literal[
    "session_id",
    "user_id",
    "prompt_version",
    "tool_name",
    "tool_call_id",
    "tool_arguments",
    "tool_result",
    "app",
    "environment",
    "app_version",
]
"""The fields that an application sets in attributes of its own."""
_OF_RESOURCE: frozenset[FieldName] = frozenset({"app", "environment", "app_version"})


class ScaleSetting(BaseModel):
    """The kind of a feedback, and for a rating its lowest and highest value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: ScaleKind
    lowest: float = 0.0
    highest: float = 1.0

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.kind == "rating" and not self.lowest < self.highest:
            raise ValueError("lowest must be below highest")
        return self


class OtelSettings(SettingsGroup):
    """How spans and feedback are read: names of your own, scales of feedback, prices."""

    attribute_names: dict[OwnField, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Attributes of your application, as a JSON object of field and names: "
        '`{"prompt_version": ["shop.prompt"]}`. They are read before the usual names. Fields: '
        "`session_id`, `user_id`, `prompt_version`, `tool_name`, `tool_call_id`, "
        "`tool_arguments`, `tool_result`, and of the resource `app`, `environment`, `app_version`.",
    )
    feedback_scales: dict[str, ScaleSetting] = Field(
        default_factory=dict,
        description="Kinds of feedback by its name, as a JSON object: "
        '`{"quality": {"kind": "rating", "lowest": 0, "highest": 10}}`. Kinds: `thumbs`, `rating`, '
        "`comment`, `custom`. Added to the usual names.",
    )
    prices: Path | None = Field(
        default=None,
        description="A file with prices of models, in the form of `otel/prices.yaml`. Its "
        "models are used instead of those of goldpan.",
    )

    def extra_fields(self) -> ExtraFields:
        """Return the application's own attributes by field."""
        return {
            name: tuple(
                place(key)
                for key in keys
                for place in ((resource, attribute) if name in _OF_RESOURCE else (attribute,))
            )
            for name, keys in self.attribute_names.items()
        }

    def scales(self) -> dict[str, FeedbackScale]:
        """Return the scales of feedback by name in lower case, the usual ones included."""
        own = {
            name.lower(): FeedbackScale(scale.kind, scale.lowest, scale.highest)
            for name, scale in self.feedback_scales.items()
        }
        return {**DEFAULT_SCALES, **own}

"""Settings of retention: which plan is carried out."""

from pydantic import BaseModel, ConfigDict, Field


class RetentionSettings(BaseModel):
    """What ``GOLDPAN_RETENTION__...`` sets."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    plan: str | None = Field(
        default=None,
        min_length=1,
        description="The path of a plan (YAML): how many days each table keeps its rows, and the "
        "values in them. Without it nothing expires.",
    )

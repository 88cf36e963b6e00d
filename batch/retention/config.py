"""Settings of retention: which plan is carried out."""

from pydantic import Field

from schemas.settings import SettingsGroup


class RetentionSettings(SettingsGroup):
    """What ``GOLDPAN_RETENTION__...`` sets."""

    plan: str | None = Field(
        default=None,
        min_length=1,
        description="The path of a plan (YAML): how many days each table keeps its rows, and the "
        "values in them. Without it nothing expires.",
    )
    at_most: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="The share of a table's rows that a run may take rows or values of. One that "
        "would take more, and far more than the last ones did, stops until it is confirmed.",
    )

"""Settings of judges: their server, how many calls, and how much they may cost."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from schemas.settings import SettingsGroup


def _listed(value: Any) -> Any:
    """Return the entries of a list that is written with commas, or as JSON."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if value.lstrip().startswith("["):
        try:
            return tuple(json.loads(value))
        except (ValueError, TypeError):
            raise ValueError("must be a list: names with commas between, or JSON") from None
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


HostList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Hosts that rows may be sent to."""


class JudgeSettings(SettingsGroup):
    """What ``GOLDPAN_JUDGES__...`` sets."""

    url: str | None = Field(
        default=None,
        min_length=1,
        description="Address of the server that answers judges, such as "
        "`https://api.example.com/v1`. If not set, only checks and the local model are configured.",
    )
    key_file: Path | None = Field(
        default=None, description="A file that holds the key of the server."
    )
    allowed_hosts: HostList = Field(
        default=(),
        description="Hosts that judged rows may be sent to, with commas between: `api.example.com` "
        "by https, `http://judge.internal:8000` by plain http. This machine needs no entry.",
    )
    concurrency: int = Field(default=8, ge=1, le=256, description="Calls at a time.")
    timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="How long one call may take."
    )
    tries: int = Field(
        default=5, ge=1, le=20, description="Calls for one answer after 429, 5xx or no connection."
    )
    batch_rows: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Questions that a runner claims at a time. A runner that is killed has paid "
        "for at most so many answers that are not stored.",
    )
    claim_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="How long a claim holds after its runner has died. A living runner extends it.",
    )
    budget_usd: float | None = Field(
        default=None,
        ge=0,
        description="What one run may cost. What is left then is an error with reason `budget`, "
        "and a later run judges it. Needs prices (`cost`) in the judge's file.",
    )

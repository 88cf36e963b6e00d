"""All settings as one typed class, read from the environment and a TOML file.

Environment variables begin with ``GOLDPAN_`` and have ``__`` between levels; they override the
file. Errors are one sentence that names the setting as the user wrote it, never its value: it may
be a secret.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from assembly.config import AssemblySettings
from batch.gate.config import CandidateSettings
from batch.judge.config import JudgeSettings
from batch.release.config import ReleaseSettings
from batch.retention.config import RetentionSettings
from goldpan.setting_files import drop_overridden, read_secret_files
from goldpan.setting_names import PREFIX, SettingSpelling, check_environment, check_file
from labels.config import LabelSettings
from lake.config import LakeSettings
from otel.config import OtelSettings
from redact.policies.settings import RedactSettings
from schemas.errors import UsageError
from schemas.settings import SettingsGroup
from schemas.text_files import read_text_file
from stream.config import KafkaSettings, StreamSettings


class MetricsSettings(SettingsGroup):
    """Where the worker serves ``/metrics``, ``/livez`` and ``/readyz``."""

    port: int = Field(
        default=9108,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`; 0 turns them off.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; `0.0.0.0` in a container.",
    )


class TracingSettings(SettingsGroup):
    """Where the worker sends its own spans."""

    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="OpenTelemetry collector, such as `http://collector:4318/v1/traces`; needs the "
        "extra `tracing`. If not set, no spans are sent.",
    )
    ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of batches and flushes that are traced."
    )


class LogSettings(SettingsGroup):
    """How much is logged to standard error, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level of events that are logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` is one object per line; `auto` means `console` on a terminal, "
        "`json` elsewhere.",
    )


class Settings(BaseSettings):
    """All settings. `load_settings` creates it, and reports errors as one sentence."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings = Field(
        default=KafkaSettings(),
        description="The cluster, the topics, the consumer group and the wire formats.",
    )
    stream: StreamSettings = Field(
        default=StreamSettings(),
        description="When the worker flushes, how much memory it may use, and how long it retries.",
    )
    lake: LakeSettings = Field(default=LakeSettings(), description="Where the tables are stored.")
    redact: RedactSettings = Field(
        default=RedactSettings(),
        description="What is removed from records, and the keys of the replacements.",
    )
    assembly: AssemblySettings = Field(
        default=AssemblySettings(),
        description="When the spans of a trace are assembled (topics of `GOLDPAN_KAFKA__SOURCES`).",
    )
    otel: OtelSettings = Field(
        default=OtelSettings(),
        description="How spans of OpenTelemetry and of the products, and their feedback, are read.",
    )
    labels: LabelSettings = Field(
        default=LabelSettings(),
        description="How traces are labelled: policy, calibration, and the topic of label events.",
    )
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="When rows and values in them expire."
    )
    release: ReleaseSettings = Field(
        default=ReleaseSettings(), description="The key that signs releases."
    )
    judges: JudgeSettings = Field(
        default=JudgeSettings(),
        description="The server that answers judges, where rows may be sent, and what a run costs.",
    )
    candidate: CandidateSettings = Field(
        default=CandidateSettings(),
        description="The server that runs candidates, where rows may be sent, and what it costs.",
    )
    metrics: MetricsSettings = Field(
        default=MetricsSettings(), description="Where the worker serves its metrics and health."
    )
    tracing: TracingSettings = Field(
        default=TracingSettings(), description="OpenTelemetry spans of the worker itself."
    )
    log: LogSettings = Field(
        default=LogSettings(), description="What is logged to standard error, and in which format."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the values from the file."""
        del env_settings, dotenv_settings, file_secret_settings
        return _Environment(settings_cls), init_settings


class _Environment(EnvSettingsSource):
    """The environment, including secrets in files that it names."""

    def __call__(self) -> dict[str, Any]:
        """Return the values of the environment."""
        return read_secret_files(super().__call__(), SettingSpelling(os.environ, None).of)


def load_settings(config: Path | None = None) -> Settings:
    """Read the settings from the environment and, if given, a TOML file.

    Raises:
        UsageError: a setting is unknown, or its value is invalid.
    """
    from_file = {} if config is None else _read_toml(config)
    check_environment(Settings, os.environ)
    check_file(Settings, from_file, str(config))
    try:
        effective = drop_overridden(from_file, os.environ)
        return Settings(
            **read_secret_files(effective, lambda path: f"{'.'.join(path)} in {config}")
        )
    except ValidationError as error:
        spelling = SettingSpelling(os.environ, str(config) if config else None)
        raise UsageError(" ".join(_sentences(error, spelling))) from None


def _sentences(error: ValidationError, spelling: SettingSpelling) -> Iterator[str]:
    """Yield one sentence for each invalid setting, about its first fault."""
    reported: set[tuple[str, ...]] = set()
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        path = tuple(str(part) for part in fault["loc"])[:2]
        if path in reported:
            continue
        reported.add(path)
        rule = _rule(fault["type"], fault["msg"])
        if len(path) < 2:
            yield f"The settings {spelling.of_group(path)} are inconsistent: {rule}."
        else:
            yield f"{spelling.of(path)} {rule}."


def _rule(kind: str, message: str) -> str:
    """Turn a message of pydantic into words that follow the name of a setting."""
    if kind == "extra_forbidden":
        return "is not a setting"
    if kind == "literal_error":
        return "must be one of " + message.removeprefix("Input should be ").replace(" or ", ", ")
    for start in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(start)
    for start, replacement in (
        ("Input should be ", "must be "),
        ("String should ", "must "),
        ("Value should ", "must "),
    ):
        if message.startswith(start):
            message = replacement + message.removeprefix(start)
    return message.partition(", ")[0] if kind.endswith(("_parsing", "_type")) else message


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text_file(path, f"The file {path} of --config"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The file {path} of --config is not TOML: {error}.") from None

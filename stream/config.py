"""Worker settings: the Kafka cluster and topics, flushing, waiting and retries."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from otel.formats import SIGNAL_FORMATS, SignalFormat
from schemas.settings import SettingsGroup

_DECIMAL: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS: Final = _DECIMAL | {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)

# Properties that the worker's guarantees depend on: with other values, positions would no longer
# come from the tables. The value says what to use instead.
_OWNED_PROPERTIES: Final = {
    "bootstrap.servers": "use the setting bootstrap_servers",
    "metadata.broker.list": "use the setting bootstrap_servers",
    "group.id": "use the setting group_id",
    "group.protocol": "use the setting group_protocol",
    "group.instance.id": "use the setting group_instance_id",
    "isolation.level": "records of aborted transactions must not be stored",
    "enable.partition.eof": "the worker must know when it is at the end of a partition",
    "auto.offset.reset": "use the setting start of the group stream",
    "enable.auto.commit": "positions come from the tables",
    "enable.auto.offset.store": "positions come from the tables",
    "partition.assignment.strategy": "the worker needs range assignment",
    "group.remote.assignor": "the worker needs range assignment",
}

_OBJECTS: Final = ("logger", "on_commit", "on_delivery")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
# Kafka accepts as many characters as for a topic; `--workers` appends a number of up to 4.
_INSTANCE: Final = re.compile(r"[A-Za-z0-9._-]{1,245}")


def parse_size(value: object) -> object:
    """Convert ``128MiB``, ``1.5 GB`` or ``1000`` into bytes; raise ValueError for other text."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError("must be a size such as 128MiB or a number of bytes")
    return int(float(match[1]) * factor)


ByteSize = Annotated[int, BeforeValidator(parse_size)]


class KafkaSettings(SettingsGroup):
    """The cluster and topics to read, the consumer group, and how records are framed."""

    bootstrap_servers: str = Field(
        default="localhost:9092",
        min_length=1,
        description="Brokers to contact first: `host:port`, separated by commas.",
    )
    traces_topic: str = Field(
        default="llm.traces", min_length=1, description="Topic with the traces."
    )
    feedback_topic: str = Field(
        default="llm.feedback", min_length=1, description="Topic with the feedback."
    )
    sources: dict[str, SignalFormat] = Field(
        default_factory=dict,
        description="Topics with OpenTelemetry or with a product's own bodies, as a JSON object of "
        'topic and format: `{"otlp_spans": "otlp"}`. Formats: '
        + ", ".join(f"`{name}`" for name in SIGNAL_FORMATS)
        + ". They are stored in `otel_spans`. With it, the other two topics are read only if they "
        "are set.",
    )
    group_id: str = Field(
        default="goldpan",
        min_length=1,
        description="Consumer group. It assigns partitions; positions are stored in the tables.",
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        default="classic",
        description="`consumer` is the KIP-848 protocol (Kafka 4.0 and later).",
    )
    group_instance_id: str | None = Field(
        default=None,
        description="Name of this worker in the group (static membership): restarted under it, "
        "it gets its partitions back without a rebalance. Each worker needs its own; `--workers` "
        "appends `-0`, `-1`, …",
    )
    properties: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        repr=False,
        description="Any librdkafka property, as a JSON object: "
        '`{"security.protocol": "SASL_SSL", …}`.',
    )
    properties_file: Path | None = Field(
        default=None,
        description="A JSON file with further librdkafka properties, for secrets.",
    )
    schemas_dir: Path | None = Field(
        default=None,
        description="Folder of `.avsc` files for reading Confluent-framed Avro without a registry.",
    )
    schema_registry_url: str | None = Field(
        default=None, description="Schema Registry for reading Confluent-framed Avro."
    )
    schema_registry_user: str | None = Field(
        default=None, description="User name (or API key) for the Schema Registry."
    )
    schema_registry_password: SecretStr | None = Field(
        default=None, description="Password (or API secret) for the Schema Registry."
    )
    schema_registry_password_file: Path | None = Field(
        default=None, description="A file with this password, instead of the password itself."
    )

    @field_validator("properties")
    @classmethod
    def _leaves_ours_alone(
        cls, properties: dict[str, str | int | float | bool]
    ) -> dict[str, str | int | float | bool]:
        for name in properties:
            if name in _OWNED_PROPERTIES:
                raise ValueError(f"must not contain {name}: {_OWNED_PROPERTIES[name]}")
            if name.endswith("_cb") or name in _OBJECTS:
                raise ValueError(f"must not contain {name}: its value is code, not text")
        return properties

    @field_validator("group_instance_id")
    @classmethod
    def _names_a_member(cls, name: str | None) -> str | None:
        if name is not None and (not _INSTANCE.fullmatch(name) or name in {".", ".."}):
            raise ValueError(
                "must be a name of letters, digits, `.`, `_` and `-`, at most 245 of them"
            )
        return name

    @field_validator("schema_registry_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @field_validator("sources")
    @classmethod
    def _names_topics(cls, sources: dict[str, SignalFormat]) -> dict[str, SignalFormat]:
        for topic in sources:
            if not _TOPIC.fullmatch(topic):
                raise ValueError(
                    "must map names of topics to formats; a name has letters, digits, `.`, `_` "
                    "and `-`, and at most 249 of them"
                )
        return sources

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.traces_topic == self.feedback_topic:
            raise ValueError("traces_topic and feedback_topic must be different topics")
        own = {"traces_topic": self.traces_topic, "feedback_topic": self.feedback_topic}
        named = {topic for name, topic in own.items() if name in self.model_fields_set}
        if twice := self.sources.keys() & named:
            raise ValueError(f"sources must not name {min(twice)}, a topic of another setting")
        if self.schemas_dir is not None and self.schema_registry_url is not None:
            raise ValueError("set schemas_dir or schema_registry_url, not both")
        if (self.schema_registry_user is None) != (self.schema_registry_password is None):
            raise ValueError("schema_registry_user and schema_registry_password go together")
        return self


class StreamSettings(SettingsGroup):
    """When the worker flushes, how much memory it may use, and how long it retries."""

    flush_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A record waits at most about this long before it is committed, "
        "even on an idle topic.",
    )
    flush_bytes: ByteSize = Field(
        default=128 * 2**20,
        gt=0,
        description="Flush a topic once this many bytes of records are buffered "
        "(`128MiB`, or a number).",
    )
    memory_bytes: ByteSize = Field(
        default=2**30,
        ge=2**20,
        description="Memory limit of one worker process, buffers included; near it, "
        "partitions are paused.",
    )
    max_record_bytes: ByteSize = Field(
        default=1_000_000,
        gt=0,
        description="Larger records are quarantined.",
    )
    start: Literal["earliest", "latest"] = Field(
        default="earliest",
        description="Where to begin with a topic that has no position in the tables, for all its "
        "partitions. A partition added later is read from its first record.",
    )
    on_lost_offsets: Literal["fail", "skip"] = Field(
        default="fail",
        description="If Kafka has deleted records before they were read: stop with an error, "
        "or continue and record the gap.",
    )
    drain_seconds: float = Field(
        default=25.0,
        gt=0,
        description="After SIGTERM, flush the buffers within this time, or leave their records to "
        "the next worker.",
    )
    retry_seconds: float = Field(
        default=600.0,
        ge=0,
        description="Retry this long while Kafka, the registry or the lake is unavailable, then "
        "stop with exit code 3. At startup the limit is 20 s, in a rebalance 120 s, if that is "
        "shorter.",
    )
    fail_at: str | None = Field(
        default=None,
        description="For crash tests: the process ends at this step of a flush.",
    )

"""Builds from the settings what commands need: the worker, redaction, decoders, clocks, retries.

The only module that reads clocks, randomness and keys from outside; all others get them passed in.
"""

import importlib
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version

import structlog

from batch.labels.policy_registry import POLICY_FOLDER as POLICIES
from batch.labels.policy_registry import register_policy
from batch.labels.scorer_loader import load_configured_policy, load_scorer
from decode.configured_schemas import open_schema_source
from decode.decoder import Decoder
from decode.schema_sources import SchemaSource
from goldpan import key_check
from goldpan.collector import paused_collector
from goldpan.expression_files import ExpressionFolder
from goldpan.otel_setup import make_assembly_rules
from goldpan.settings import Settings, TracingSettings
from labels.policy import MICROS_PER_DAY, load_label_policy
from labels.scorer import LabelScorer
from lake import store_clock
from lake.erasure_copies import refuse_outdated_lake
from lake.ledger import SourcePartition
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from lake.tombstones import open_tombstones
from otel.formats import SignalFormat
from redact.build import SWITCH, loaded_build
from redact.crypto.keys import KEY_BYTES, Keys, load_all_keys, load_keys, load_seal_key
from redact.crypto.sealing import Sealer
from redact.pipeline.factory import build_redactor
from redact.pipeline.redactor import Redactor
from redact.policies.policy import load_policy
from redact.policies.settings import RedactSettings
from redact.recognition.database_store import set_database_store
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import UsageError
from schemas.record_batches import RecordKind
from schemas.times import from_micros
from stream.adoption import Adoption
from stream.applied_tombstones import AppliedTombstones
from stream.assembly_driver.setup import AssemblySetup
from stream.client_errors import ClientErrors
from stream.cluster import TOPIC_SETTINGS, Cluster
from stream.config import KafkaSettings
from stream.events import EventLog
from stream.intake import RecordDecoder
from stream.kafka_client import admin_properties, make_consumer
from stream.kept_signals import KeptSignalDecoder
from stream.label_driver.setup import LabelSetup
from stream.record_fetcher import RecordFetcher
from stream.redrive import Redrive
from stream.signal_decoder import SignalDecoder
from stream.source_topics import joins_labels, source_topics
from stream.tracing import NO_TRACER, Tracer
from stream.worker_setup import WorkerSetup

COMMAND_RETRY_SECONDS = 30.0
"""How long a command retries while a person waits for it."""

_FETCH_QUEUE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class RedactionParts:
    """The redactor, and the sealer of quarantined payloads."""

    redactor: Redactor
    sealer: Sealer
    off: bool
    audited: bool


def load_redaction(settings: RedactSettings) -> RedactionParts:
    """Load policy and keys; UsageError if one is missing or invalid."""
    if not settings.compiled and loaded_build() == "compiled":
        raise UsageError(
            f"redact.compiled counts only as {SWITCH} in the environment: a file of settings is "
            "read after the modules are loaded."
        )
    policy = load_policy(settings.policy)
    # Without redaction the key only makes fingerprints of quarantined records; a key that lives as
    # long as this process is enough.
    throwaway = os.urandom(KEY_BYTES) if policy.off else None
    redaction_keys = load_keys(settings, default_secret=throwaway)
    keep_expressions(settings, redaction_keys)
    audited = settings.audit and not policy.off
    report = audited and settings.audit_kept
    with paused_collector():
        redactor = build_redactor(policy, redaction_keys, audit=audited, report=report)
    sealer = Sealer(redaction_keys.fingerprint, redactor.policy_hash, load_seal_key(settings))
    return RedactionParts(redactor, sealer, policy.off, audited)


def keep_expressions(settings: RedactSettings, keys: Keys) -> None:
    """Let redaction load compiled expressions from the folder of the settings, and keep them."""
    if settings.cache_dir is not None:
        store = ExpressionFolder(settings.cache_dir, get_logger())
        set_database_store(store, keys.databases)


@lru_cache(maxsize=1)
def shared_redactor(settings: RedactSettings) -> Redactor:
    """Return the redactor of these settings, made once: compiling its patterns takes seconds."""
    return load_redaction(settings).redactor


def refuse_other_keys(settings: Settings, lake: Lake) -> None:
    """Raise UsageError if a key of the settings differs from the lake's key of that name."""
    make_retry().call(
        "reading the lake's keys", lambda: key_check.refuse_wrong_keys(settings, lake)
    )


def refuse_older_lake(settings: Settings) -> None:
    """Raise FatalError if persons were erased after this lake was backed up.

    See `lake.erasure_copies`.
    """
    make_retry().call("checking for newer erasures", lambda: refuse_outdated_lake(settings.lake))


def check_worker_settings(settings: Settings) -> None:
    """Raise UsageError if a worker cannot run with these settings; connect to nothing."""
    policy = load_policy(settings.redact.policy)
    load_keys(settings.redact, default_secret=os.urandom(KEY_BYTES) if policy.off else None)
    load_all_keys(settings.redact)
    load_seal_key(settings.redact)
    make_label_setup(settings)
    configured_schema_source(settings.kafka)


def configured_schema_source(settings: KafkaSettings) -> SchemaSource:
    """Return the source of schemas for framed Avro."""
    password = settings.schema_registry_password
    return open_schema_source(
        settings.schemas_dir,
        settings.schema_registry_url,
        user=settings.schema_registry_user,
        password=password.get_secret_value() if password else None,
        clock=time.monotonic,
    )


def make_decoder(
    settings: Settings, kind: RecordKind, max_record_bytes: int | None = None
) -> Decoder:
    """Return the decoder of a record kind; the size limit defaults to that of the settings."""
    return Decoder(
        kind,
        configured_schema_source(settings.kafka),
        max_record_bytes=max_record_bytes or settings.stream.max_record_bytes,
    )


def get_logger() -> EventLog:
    """Return the logger of this process."""
    log: EventLog = structlog.get_logger()
    return log


def set_up_worker(settings: Settings, stop: threading.Event) -> WorkerSetup:
    """Return everything that a worker needs."""
    redaction, log = load_redaction(settings.redact), get_logger()
    if redaction.off:
        log.warning("redaction_off", detail="personal data is stored unredacted")
    return WorkerSetup(
        kafka=settings.kafka,
        stream=settings.stream,
        lake=settings.lake,
        redactor=redaction.redactor,
        sealer=redaction.sealer,
        keys=load_all_keys(settings.redact),
        schemas=configured_schema_source(settings.kafka),
        log=log,
        version=version("goldpan"),
        build=loaded_build(),
        policy=redaction.redactor.policy_hash,
        audited=redaction.audited,
        labels=make_label_setup(settings),
        host=settings.metrics.host,
        port=settings.metrics.port,
        stop=stop,
        tracer=connect_spans(settings.tracing),
        assembly=make_assembly_setup(settings),
        refuse_other_keys=lambda lake: key_check.refuse_wrong_keys(settings, lake, remember=True),
    )


def make_assembly_setup(settings: Settings) -> AssemblySetup | None:
    """Return how the worker assembles traces, None if no topic holds spans."""
    if not settings.kafka.sources:
        return None
    redactor = load_row_redactor(settings.redact)
    return AssemblySetup(
        topic=next(iter(settings.kafka.sources)),
        terms=settings.assembly.terms(),
        redactor=redactor,
        rules=make_assembly_rules(settings),
        scales=settings.otel.scales(),
        memory_bytes=redactor.memory_bytes,
    )


def load_row_redactor(settings: RedactSettings) -> Redactor:
    """Return a redactor for assembled rows: their spans were redacted and audited before."""
    policy = load_policy(settings.policy)
    throwaway = os.urandom(KEY_BYTES) if policy.off else None
    keys = load_keys(settings, default_secret=throwaway)
    keep_expressions(settings, keys)
    return build_redactor(policy, keys)


def connect_spans(settings: TracingSettings) -> Tracer:
    """Return the tracer of the worker; UsageError if it needs the extra and that is missing."""
    if settings.endpoint is None:
        return NO_TRACER
    try:
        otlp = importlib.import_module("goldpan.otlp")
    except ImportError:
        raise UsageError(
            "GOLDPAN_TRACING__ENDPOINT needs the extra `tracing`: install goldpan[tracing]"
        ) from None
    tracer: Tracer = otlp.connect(settings.endpoint, settings.ratio)
    return tracer


def make_label_setup(settings: Settings) -> LabelSetup | None:
    """Return how the worker labels traces, None if it does not.

    Raises UsageError if the policy is invalid.
    """
    if settings.labels.off:
        return None
    if settings.labels.topic in tables_by_topic(settings.kafka):
        raise UsageError(
            f"GOLDPAN_LABELS__TOPIC: {settings.labels.topic} is an input topic; label events need "
            "a topic of their own."
        )
    load_label_policy(settings.labels.policy)  # fail on a mistake before opening the lake
    if not joins_labels(settings.kafka):
        return None

    def make_scorer() -> LabelScorer:
        location = Lake(settings.lake).location
        register_policy(location.files(POLICIES), load_configured_policy(settings.labels, location))
        return load_scorer(settings.labels, location)

    return LabelSetup(make_scorer, join_window(settings), settings.labels.topic)


def join_window(settings: Settings) -> int | None:
    """Return the join window in microseconds, None for that of the policy."""
    days = settings.labels.window_days
    return None if days is None else int(days * MICROS_PER_DAY)


def tables_by_topic(settings: KafkaSettings) -> Mapping[str, tuple[RecordKind, str]]:
    """Return the kind of record and the table of each topic."""
    topics = source_topics(settings)
    return {topic: (source.kind, source.table) for topic, source in topics.items()}


def kind_and_table(settings: KafkaSettings, topic: str) -> tuple[RecordKind, str]:
    """Return the kind and the table of a topic; UsageError if the settings do not name it."""
    tables = tables_by_topic(settings)
    if topic not in tables:
        raise UsageError(
            f"{topic} is not a configured topic; those are {' and '.join(tables)} "
            f"({TOPIC_SETTINGS})."
        )
    return tables[topic]


def store_now_us(settings: Settings) -> int:
    """Return the time by the clock of the lake's store, in microseconds since 1970 (UTC).

    Raises FatalError if this machine's clock differs by more than minutes (see `lake.store_clock`),
    or if there is no lake: reading the time must not create one.
    """
    lake = Lake(settings.lake)
    lake.handle(next(iter(TABLE_LAYOUTS)))
    files = lake.location.files(store_clock.CLOCK_FOLDER)
    return make_retry().call(
        "reading the lake's clock", lambda: store_clock.read_store_time(files, now_us)
    )


def utc_now() -> datetime:
    """Return the current time (UTC)."""
    return from_micros(now_us())


def make_retry(seconds: float = COMMAND_RETRY_SECONDS) -> Retry:
    """Return a retry policy with a time limit in seconds."""
    return Retry(
        seconds=seconds,
        monotonic=time.monotonic,
        sleep=threading.Event().wait,
        uniform=random.uniform,
    )


def open_erasures(settings: Settings) -> AppliedTombstones:
    """Return the tombstones of the lake, not loaded yet."""
    return AppliedTombstones(
        open_tombstones(Lake(settings.lake).location), load_all_keys(settings.redact)
    )


def set_up_redrive(settings: Settings, topic: str, fetcher: RecordFetcher) -> Redrive:
    """Return the redrive of a topic's quarantined records."""
    _, table = kind_and_table(settings.kafka, topic)
    redaction, lake = load_redaction(settings.redact), Lake(settings.lake)
    refuse_other_keys(settings, lake)
    return Redrive(
        topic=topic,
        primary=lake.table(table),
        quarantine=lake.table(QUARANTINE_TABLE),
        decoder=_make_redrive_decoder(settings, topic),
        redactor=redaction.redactor,
        unsealer=redaction.sealer,
        fetch=fetcher.fetch,
        incarnation=fetcher.incarnation,
        erasures=open_erasures(settings),
        context=make_commit_context(),
    )


def _make_redrive_decoder(settings: Settings, topic: str) -> RecordDecoder:
    source = source_topics(settings.kafka)[topic]
    if source.signal_format is None:
        return make_decoder(settings, source.kind)
    return KeptSignalDecoder(make_signal_decoder(settings, source.signal_format))


def make_signal_decoder(settings: Settings, signal_format: SignalFormat) -> SignalDecoder:
    """Return the decoder of topics of spans with a format."""
    return SignalDecoder(
        signal_format,
        max_record_bytes=settings.stream.max_record_bytes,
        now_us=now_us,
        extra=settings.otel.extra_fields(),
    )


def set_up_adoption(settings: Settings, topic: str) -> Adoption:
    """Return the adoption of a recreated topic, which moves the positions of the old one."""
    _, table = kind_and_table(settings.kafka, topic)
    lake = Lake(settings.lake)
    return Adoption(
        primary=lake.table(table),
        quarantine=lake.table(QUARANTINE_TABLE),
        audit=lake.table(AUDIT_TABLE),
        labels=lake.table(LABELS_TABLE),
        context=make_commit_context(),
    )


@dataclass(frozen=True, slots=True)
class TopicEnds:
    """Reads from Kafka where the partitions of a topic begin and end."""

    cluster: Cluster
    watermarks: Callable[[str], Mapping[SourcePartition, tuple[int, int]]]


def open_topic_ends(settings: KafkaSettings) -> TopicEnds:
    """Return a reader of (first offset left, one after the last) of each partition."""
    cluster = Cluster(admin_properties(settings), bootstrap_servers=settings.bootstrap_servers)
    errors = ClientErrors()
    consumer = make_consumer(settings, fetch_queue=_FETCH_QUEUE_BYTES, errors=errors)

    def watermarks(topic: str) -> Mapping[SourcePartition, tuple[int, int]]:
        errors.check()
        return {s: cluster.watermarks(consumer, s) for s in cluster.partitions([topic])}

    return TopicEnds(cluster, watermarks)


def new_token() -> int:
    """Return a random number in [0, 2**63) that identifies a commit."""
    return secrets.randbits(63)


def make_commit_context(seconds: float = COMMAND_RETRY_SECONDS) -> CommitContext:
    """Return the context of commits, which are retried for up to ``seconds``."""
    return CommitContext(make_retry(seconds), now_us, new_token)


def now_us() -> int:
    """Return the current time in microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000

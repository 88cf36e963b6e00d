"""Schemas are found in the package, in a folder and in a registry, and asked for no more often."""

import json
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient

from decode.configured_schemas import open_schema_source
from decode.decoder import Decoder
from decode.registry_source import RegistrySource
from decode.schema_sources import FolderSource, MissingSchema, RegistryError, SchemaSource
from schemas.contract import CONTRACTS, schema_fingerprint
from schemas.errors import FatalError, RetryableError, UsageError
from schemas.reasons import QuarantineReason
from schemas.record_batches import RawRecord, RecordKind
from tests.make.records import encode_json, trace
from tests.make.wire import framed, single_object
from tests.servers.ports import free_port
from tests.servers.registry import SharedRegistry

TRACE = CONTRACTS["trace"].avro
OTHER: Any = {"type": "record", "name": "Other", "fields": [{"name": "a", "type": "int"}]}


class Clock:
    """A clock that the test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class StubRegistry:
    """Answers every request with one status and body, and counts them."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {"schema": json.dumps(TRACE)}
        self.asked: list[str] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.asked.append(self.path)
                body = stub.body if isinstance(stub.body, bytes) else json.dumps(stub.body).encode()
                self.send_response(stub.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def stub() -> Iterator[StubRegistry]:
    """A registry whose answer the test decides."""
    registry = StubRegistry()
    thread = Thread(target=registry.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield registry
    registry.server.shutdown()
    registry.server.server_close()
    thread.join()


def _source(url: str, clock: Clock | None = None) -> RegistrySource:
    client = SchemaRegistryClient({"url": url, "timeout": 5, "max.retries": 0})
    return RegistrySource(client, url, clock or Clock())


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_package_knows_all_its_versions(name: str) -> None:
    """The current and every released schema is found by fingerprint without any setting."""
    source = FolderSource()
    contract = CONTRACTS[name]
    for avsc in (contract.avro, *contract.released.values()):
        assert source.by_fingerprint(schema_fingerprint(avsc)) == avsc
    assert source.by_id(1) is MissingSchema.UNKNOWN
    assert source.by_fingerprint("0" * 16) is MissingSchema.UNKNOWN


def test_a_folder_gives_ids_and_fingerprints(tmp_path: Path) -> None:
    """``<id>.avsc`` is found by id, any file by fingerprint, other files are left alone."""
    (tmp_path / "42.avsc").write_text(json.dumps(TRACE))
    (tmp_path / "other.avsc").write_text(json.dumps(OTHER))
    (tmp_path / "notes.txt").write_text("no schema")
    source = FolderSource(tmp_path)
    assert source.by_id(42) == TRACE
    assert source.by_id(43) is MissingSchema.UNKNOWN
    assert source.by_fingerprint(schema_fingerprint(OTHER)) == OTHER


@pytest.mark.parametrize("text", ["", "{", '{"type": "nope"}', "[" * 100_000, "7"])
def test_a_file_that_is_no_schema_is_named(tmp_path: Path, text: str) -> None:
    """One wrong file stops the start, with its name, instead of costing records later."""
    (tmp_path / "bad.avsc").write_text(text)
    with pytest.raises(UsageError, match=r"bad\.avsc"):
        FolderSource(tmp_path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """A folder in the settings has to exist."""
    with pytest.raises(UsageError, match="nowhere"):
        FolderSource(tmp_path / "nowhere")


def test_a_registry_is_asked_once_for_a_schema(stub: StubRegistry) -> None:
    """An id never changes its meaning, so one request is enough for all time."""
    clock = Clock()
    source = _source(stub.url, clock)
    assert source.by_id(5) == TRACE
    stub.status = 500
    clock.now += 1e9
    assert source.by_id(5) == TRACE
    assert stub.asked == ["/schemas/ids/5"]


def test_a_miss_is_believed_for_a_while(stub: StubRegistry) -> None:
    """Records with an unknown id do not become a request each, and a new schema is found later."""
    clock = Clock()
    source = _source(stub.url, clock)
    stub.status, stub.body = 404, {"error_code": 40403, "message": "Schema not found"}
    for _ in range(10):
        assert source.by_id(5) is MissingSchema.UNKNOWN
    assert len(stub.asked) == 1
    stub.status, stub.body = 200, {"schema": json.dumps(TRACE)}
    clock.now += RegistrySource.MISS_SECONDS - 0.1
    assert source.by_id(5) is MissingSchema.UNKNOWN
    clock.now += 0.1
    assert source.by_id(5) == TRACE


def test_an_id_that_no_registry_can_have_is_not_asked_for(stub: StubRegistry) -> None:
    """Registry ids are positive 32 bit numbers; a larger one comes from bytes that are no frame."""
    assert _source(stub.url).by_id(0xFFFFFFFF) is MissingSchema.UNKNOWN
    assert stub.asked == []


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_registry_in_trouble_is_tried_again(stub: StubRegistry, status: int) -> None:
    """Nothing can be said about the record until the registry answers."""
    stub.status, stub.body = status, {"error_code": 50001, "message": "no"}
    source = _source(stub.url)
    with pytest.raises(RetryableError, match="schema 5"):
        source.by_id(5)
    stub.status, stub.body = 200, {"schema": json.dumps(TRACE)}
    assert source.by_id(5) == TRACE


def test_a_registry_that_does_not_answer_is_tried_again() -> None:
    """A refused connection is retryable and names the host."""
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1"):
        _source(f"http://127.0.0.1:{free_port()}").by_id(5)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"schema": "{"}', b"null"])
def test_an_answer_that_is_no_schema_is_tried_again(stub: StubRegistry, body: bytes) -> None:
    """A page of a proxy in between is no answer about the schema."""
    stub.body = body
    with pytest.raises(RetryableError, match="check that it is"):
        _source(stub.url).by_id(5)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>no such page</html>"),
        (404, {"error_code": 404, "message": "HTTP 404 Not Found"}),
        (404, {"error_code": 40401, "message": "Subject not found"}),
        (302, b"<html>log in</html>"),
        (400, {}),
        (410, b""),
        (405, b"null"),
    ],
)
def test_only_the_registry_says_that_a_schema_is_missing(
    stub: StubRegistry, status: int, body: Any
) -> None:
    """A wrong path and a proxy in between know nothing of the schema: the records wait."""
    stub.status, stub.body = status, body
    source = _source(stub.url)
    with pytest.raises(RegistryError, match="check that it is"):
        source.by_id(5)
    stub.status, stub.body = 200, {"schema": json.dumps(TRACE)}
    assert source.by_id(5) == TRACE


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_refuses_us_is_fatal(stub: StubRegistry, status: int) -> None:
    """Waiting does not help against a wrong password; the message says where to look."""
    stub.status, stub.body = status, {"error_code": status, "message": "no"}
    with pytest.raises(FatalError, match="password"):
        _source(stub.url).by_id(5)


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF"])
def test_a_schema_of_another_kind_is_told_apart(stub: StubRegistry, kind: str) -> None:
    """JSON Schema and Protobuf have ids in the same registry."""
    stub.body = {"schema": "{}", "schemaType": kind}
    assert _source(stub.url).by_id(5) is MissingSchema.NOT_AVRO


def test_the_folder_comes_before_the_registry(stub: StubRegistry, tmp_path: Path) -> None:
    """A schema in the folder needs no registry; one that is not there does."""
    (tmp_path / "1.avsc").write_text(json.dumps(OTHER))
    source = open_schema_source(tmp_path, stub.url, clock=Clock())
    assert source.by_id(1) == OTHER
    assert stub.asked == []
    assert source.by_id(2) == TRACE
    assert source.by_fingerprint(schema_fingerprint(TRACE)) == TRACE
    assert source.by_fingerprint("0" * 16) is MissingSchema.UNKNOWN


def test_user_and_password_are_sent(stub: StubRegistry) -> None:
    """The settings reach the registry; the password stands in no error."""
    source = open_schema_source(None, stub.url, user="u", password="hush", clock=Clock())
    stub.status, stub.body = 403, {"error_code": 403, "message": "hush"}
    with pytest.raises(FatalError) as raised:
        source.by_id(5)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ["localhost:8081", "ftp://localhost", "http//x"])
def test_a_url_that_is_none_is_a_usage_error(url: str) -> None:
    """The message says what a URL looks like."""
    with pytest.raises(UsageError, match="http://"):
        open_schema_source(None, url, clock=Clock())


def _decode(source: SchemaSource, value: bytes) -> tuple[int, list[str]]:
    decoder = Decoder(RecordKind.TRACE, source, max_record_bytes=1_000_000)
    decoded, rejected = decoder.decode("t", [RawRecord(0, 0, -1, None, value)])
    return len(decoded), [one.reason for one in rejected]


def test_a_registry_that_is_down_stops_the_batch_and_loses_nothing(stub: StubRegistry) -> None:
    """The decoder gives no half of a batch: the error comes out, and later all are decoded."""
    decoder = Decoder(RecordKind.TRACE, _source(stub.url), max_record_bytes=1_000_000)
    values = [encode_json(trace(0)), framed(trace(1), TRACE, 5), b"?"]
    raws = [RawRecord(0, i, -1, None, value) for i, value in enumerate(values)]
    stub.status, stub.body = 503, {}
    with pytest.raises(RetryableError):
        decoder.decode("t", raws)
    stub.status, stub.body = 200, {"schema": json.dumps(TRACE)}
    decoded, rejected = decoder.decode("t", raws)
    assert (decoded.offsets, [one.raw.offset for one in rejected]) == ([0, 1], [2])


def test_a_folder_is_enough_for_every_avro_format(tmp_path: Path) -> None:
    """Framed and single-object records of a producer's own schema, without a registry."""
    avsc = {**TRACE, "name": "Call", "fields": [*TRACE["fields"]][::-1]}
    (tmp_path / "9.avsc").write_text(json.dumps(avsc))
    source = FolderSource(tmp_path)
    assert _decode(source, framed(trace(1), avsc, 9)) == (1, [])
    assert _decode(source, single_object(trace(1), avsc)) == (1, [])
    assert _decode(source, framed(trace(1), avsc, 8)) == (0, [QuarantineReason.UNKNOWN_SCHEMA])


@pytest.fixture
def subject() -> str:
    """A subject that no other test uses."""
    return f"subject-{uuid.uuid4().hex}"


def test_a_real_registry_gives_the_schema(registry: SharedRegistry, subject: str) -> None:
    """A registered contract is found by its id, another id is a miss."""
    client = SchemaRegistryClient({"url": registry.url})
    schema_id = client.register_schema(subject, Schema(json.dumps(TRACE), "AVRO"))
    source = open_schema_source(None, registry.url, clock=Clock())
    assert _decode(source, framed(trace(1), TRACE, schema_id)) == (1, [])
    assert _decode(source, framed(trace(1), TRACE, 2**31 - 1)) == (
        0,
        [QuarantineReason.UNKNOWN_SCHEMA],
    )


@pytest.mark.parametrize("path", ["/apis/ccompat/v77", "/apis", "/health/no"])
def test_a_wrong_path_of_a_real_registry(registry: SharedRegistry, path: str) -> None:
    """It answers 404 there too; whether it knows the schema is another question."""
    root = registry.url.partition("/apis")[0]
    with pytest.raises(RegistryError, match="check that it is"):
        _source(f"{root}{path}").by_id(1)


def test_a_schema_with_references_is_put_together(registry: SharedRegistry, subject: str) -> None:
    """A schema that refers to another subject is read with what it refers to."""
    client = SchemaRegistryClient({"url": registry.url})
    whole = json.loads(json.dumps(TRACE))
    messages = next(field for field in whole["fields"] if field["name"] == "messages")
    message = {**messages["type"]["items"], "namespace": "goldpan"}
    messages["type"]["items"] = "goldpan.Message"
    client.register_schema(f"{subject}-message", Schema(json.dumps(message), "AVRO"))
    reference = SchemaReference("goldpan.Message", f"{subject}-message", 1)
    schema_id = client.register_schema(subject, Schema(json.dumps(whole), "AVRO", [reference]))
    source = open_schema_source(None, registry.url, clock=Clock())
    assert _decode(source, framed(trace(1), TRACE, schema_id)) == (1, [])


def test_references_of_references_are_put_together(registry: SharedRegistry, subject: str) -> None:
    """Whatever refers to what, at any depth, and also where two refer to the same."""
    client = SchemaRegistryClient({"url": registry.url})
    whole = json.loads(json.dumps(TRACE))
    fields = {field["name"]: field for field in whole["fields"]}
    message = {**fields["messages"]["type"]["items"], "namespace": "x"}
    inner = {field["name"]: field for field in message["fields"]}
    call = {**inner["tool_calls"]["type"]["items"], "namespace": "x"}
    text = {"type": "enum", "name": "Word", "namespace": "y.z", "symbols": ["a", "b"]}
    inner["tool_calls"]["type"]["items"] = call["name"]
    inner["name"]["type"] = ["null", "y.z.Word"]
    call["fields"][1]["type"] = "y.z.Word"
    fields["messages"]["type"]["items"] = f"x.{message['name']}"

    def register(name: str, schema: Any, *needs: tuple[str, str]) -> int:
        references = [SchemaReference(full, f"{subject}-{of}", 1) for full, of in needs]
        known = Schema(json.dumps(schema), "AVRO", references)
        return client.register_schema(f"{subject}-{name}", known)

    to_text = ("y.z.Word", "text")
    register("text", text)
    register("call", call, to_text)
    register("message", message, to_text, (f"x.{call['name']}", "call"))
    schema_id = register("trace", whole, (f"x.{message['name']}", "message"))
    source = open_schema_source(None, registry.url, clock=Clock())
    found = source.by_id(schema_id)
    record = trace(1)
    record["messages"] = [
        {
            "role": "user",
            "content": "c",
            "name": "b",
            "tool_call_id": None,
            "tool_calls": [{"id": "1", "name": "a", "arguments": "{}"}],
        }
    ]
    assert not isinstance(found, MissingSchema)
    assert _decode(source, framed(record, found, schema_id)) == (1, [])

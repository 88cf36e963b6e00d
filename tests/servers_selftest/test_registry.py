"""The schema registry of the tests speaks as Confluent's does."""

import json
import uuid

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.servers.registry import SchemaRegistry, SharedRegistry


def record(*fields: dict[str, object]) -> str:
    """An Avro schema."""
    return json.dumps({"type": "record", "name": "R", "namespace": "test", "fields": list(fields)})


A: dict[str, object] = {"name": "a", "type": "string"}
B: dict[str, object] = {"name": "b", "type": ["null", "int"], "default": None}


def test_avro_makes_the_round_trip(registry: SharedRegistry) -> None:
    """Five bytes of header with an id that another client can resolve."""
    context = SerializationContext(f"topic-{uuid.uuid4().hex}", MessageField.VALUE)
    writer = SchemaRegistryClient({"url": registry.url})
    wire = AvroSerializer(writer, record(A))({"a": "text"}, context)
    assert wire is not None
    assert wire[0] == 0
    reader = SchemaRegistryClient({"url": registry.url})
    assert AvroDeserializer(reader)(wire, context) == {"a": "text"}
    known = json.loads(reader.get_schema(int.from_bytes(wire[1:5])).schema_str or "")
    assert [field["name"] for field in known["fields"]] == ["a"]


def test_an_incompatible_schema_is_refused(registry: SharedRegistry) -> None:
    """Versions count up, and what old readers could not read is refused."""
    client = SchemaRegistryClient({"url": registry.url})
    subject = f"subject-{uuid.uuid4().hex}"
    client.set_compatibility(subject, "BACKWARD")
    client.register_schema(subject, Schema(record(A), "AVRO"))
    client.register_schema(subject, Schema(record(A, B), "AVRO"))
    assert client.get_versions(subject) == [1, 2]
    number: dict[str, object] = {"name": "a", "type": "int"}
    with pytest.raises(SchemaRegistryError):
        client.register_schema(subject, Schema(record(number), "AVRO"))


@pytest.mark.chaos
def test_a_restarted_registry_knows_its_ids(own_registry: SchemaRegistry) -> None:
    """Same address, same schema under the same id; and no answer in between."""
    schema = Schema(record(A), "AVRO")
    client = SchemaRegistryClient({"url": own_registry.url})
    schema_id = client.register_schema("subject", schema)
    own_registry.kill()
    assert not own_registry.answers()
    own_registry.restart()
    fresh = SchemaRegistryClient({"url": own_registry.url})
    assert fresh.register_schema("subject", schema) == schema_id

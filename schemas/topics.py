"""The topics: owner, key, schema, compatibility and retention of each."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from schemas.contract import CONTRACTS, ContractError

NonEmptyText = Annotated[str, Meta(min_length=1)]


class Topic(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One topic. ``key`` is a field of the contract ``schema``; ``retention_days`` is what a
    replay can count on.
    """

    topic: NonEmptyText
    description: NonEmptyText
    owner: NonEmptyText
    key: NonEmptyText
    schema: Literal["trace", "feedback", "label_event"]
    compatibility: Literal["BACKWARD_TRANSITIVE"]
    retention_days: Annotated[int, Meta(ge=1)]


def parse_topic(name: str, text: bytes) -> Topic:
    """Return the topic that a YAML document describes, or raise ``ContractError`` naming ``name``.

    Strict: an unknown key, another type or a key field that the schema lacks is an error.
    """
    try:
        topic = msgspec.yaml.decode(text, type=Topic)
    except msgspec.DecodeError as error:  # a wrong type or an unknown key is one as well
        raise ContractError(f"{name}: {error}") from error
    if topic.topic != name.removesuffix(".yaml"):
        raise ContractError(f"{name}: `topic` must be the name of the file")
    if topic.key not in {field.name for field in CONTRACTS[topic.schema].fields}:
        raise ContractError(f"{name}: `key` must be a field of the schema {topic.schema}")
    return topic


def load_topics() -> dict[str, Topic]:
    """Read every topic of the package, by name."""
    folder = files("schemas") / "topics"
    topics = [
        parse_topic(file.name, file.read_bytes())
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    ]
    return {topic.topic: topic for topic in sorted(topics, key=lambda topic: topic.topic)}


TOPICS: Final[Mapping[str, Topic]] = load_topics()
"""Every topic of the package by the name it usually has; a setting may give it another."""

"""The outer part of an OTLP request as a protobuf message, with its items left as bytes.

Requests of traces and of logs have the same field numbers: resources, scopes, items. If a request
cannot be parsed whole, this message still separates its items, so one bad item can be set aside.
"""

from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_REPEATED: Final = FieldDescriptorProto.LABEL_REPEATED
_OPTIONAL: Final = FieldDescriptorProto.LABEL_OPTIONAL
_PACKAGE: Final = "goldpan.otlp"


def _field(name: str, number: int, label: int, message: str = "") -> FieldDescriptorProto:
    kind = FieldDescriptorProto.TYPE_MESSAGE if message else FieldDescriptorProto.TYPE_BYTES
    return FieldDescriptorProto(
        name=name,
        number=number,
        label=label,
        type=kind,
        type_name=f".{_PACKAGE}.{message}" if message else None,
    )


def _build_envelope() -> Any:
    file = FileDescriptorProto(name="goldpan_otlp_envelope.proto", package=_PACKAGE)
    file.message_type.extend(
        [
            DescriptorProto(
                name="ScopeItems",
                field=[_field("scope", 1, _OPTIONAL), _field("items", 2, _REPEATED)],
            ),
            DescriptorProto(
                name="ResourceItems",
                field=[
                    _field("resource", 1, _OPTIONAL),
                    _field("scopes", 2, _REPEATED, "ScopeItems"),
                ],
            ),
            DescriptorProto(
                name="Envelope", field=[_field("resources", 1, _REPEATED, "ResourceItems")]
            ),
        ]
    )
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Envelope"))


Envelope: Final = _build_envelope()
"""Message class: ``resources[].resource``, ``.scopes[].scope`` and ``.scopes[].items[]``, bytes."""

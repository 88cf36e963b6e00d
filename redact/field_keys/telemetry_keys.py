"""Attributes of telemetry that name a person or a machine, though their words do not say so.

`host.name` is a server in most traces, but a person's laptop in some, and `mlflow.trace.user` ends
in no word for an id. The names are those of OpenTelemetry's semantic conventions and of the tracing
products.
"""

from collections.abc import Mapping
from typing import Final

_USERS: Final = (
    "process.owner",
    "enduser.pseudo.id",
    "mlflow.user",
    "mlflow.trace.user",
    "info.trace_metadata.mlflow.trace.user",
    "info.tags.mlflow.user",
    "info.trace_metadata.mlflow.user",
    "langfuse.user.id",
    "langfuse.trace.user_id",
    "langsmith.user.id",
)
_HOSTS: Final = (
    "host.name",
    "host.id",
    "net.host.name",
    "host.hostname",
    "os.hostname",
    "service.instance.id",
)

TELEMETRY_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(_USERS, "USER_ID"),
    **dict.fromkeys(_HOSTS, "HOST"),
}
"""The type of the values below an attribute, by its name in lower case."""

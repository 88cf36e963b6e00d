"""Each wrong setting gives one sentence that says what to do, and an exit code, no traceback."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.edges.refusals import FAILED, USED_WRONGLY, Refusals, Wrong
from tests.servers.mock_kafka import MockKafka
from tests.servers.worker import settings

NOWHERE = "127.0.0.1:1"
SECRET = "c3VwZXJzZWNyZXQ="
"""A value that no sentence may repeat: it may be a key."""
SHORT = base64.b64encode(b"too short").decode()
TWO = ("stream", "run", "--workers", "2", "--until-caught-up")
AWS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}

FILES = {
    "group.toml": "[kafak]\ngroup_id = 'g'\n",
    "key.toml": f"[stream]\nflush_sec = '{SECRET}'\n",
    "yaml.toml": "kafka: yaml\n",
    "value.toml": f"[log]\nlevel = '{SECRET}'\n",
    "policy.yaml": "name: mine\nentities:\n  SHOE_SIZE: {}\n",
    "no.yaml": "{" * 5,
    "a-file": "no folder",
    "half/traces": "no table",
}


def _env(broker: str = NOWHERE, lake: str = "@folder@/lake", **more: object) -> dict[str, str]:
    return settings(broker, lake, **{"stream__retry_seconds": 5, **more})


def _unknown() -> dict[str, Wrong]:
    """Names that are no settings, in the environment and in a file."""
    env = _env()
    second = {**env, "GOLDPAN_STREAM__FLUSH_SECOND": SECRET}
    named = ("GOLDPAN_STREAM__FLUSH_SECOND is not", "FLUSH_SECONDS?")

    def file(name: str) -> tuple[str, ...]:
        return ("stream", "run", "--config", f"@folder@/{name}")

    return {
        "unknown variable": Wrong(
            USED_WRONGLY,
            ("GOLDPAN_KAFKA_BOOTSTRAP_SERVERS", "did you mean"),
            {**env, "GOLDPAN_KAFKA_BOOTSTRAP_SERVERS": SECRET},
        ),
        "unknown variable of a group": Wrong(USED_WRONGLY, named, second),
        "unknown variable, verify": Wrong(USED_WRONGLY, named, second, ("lake", "verify")),
        "unknown group in a file": Wrong(
            USED_WRONGLY, ("[kafak]", "kafka?"), env, file("group.toml")
        ),
        "unknown key in a file": Wrong(
            USED_WRONGLY, ("stream.flush_sec", "key.toml"), env, file("key.toml")
        ),
        "file that is no TOML": Wrong(
            USED_WRONGLY, ("yaml.toml", "not TOML"), env, file("yaml.toml")
        ),
        "wrong value in a file": Wrong(
            USED_WRONGLY, ("log.level in", "debug"), env, file("value.toml")
        ),
        "no such file": Wrong(USED_WRONGLY, ("gone.toml", "read"), env, file("gone.toml")),
        "folder for a file": Wrong(USED_WRONGLY, ("--config", "directory"), env, file("")),
    }


VALUES: dict[str, tuple[str, object]] = {
    "flush seconds": ("stream__flush_seconds", "soon"),
    "a function as a property": ("kafka__properties", {"oauth_cb": SECRET}),
    "another function as a property": ("kafka__properties", {"stats_cb": SECRET}),
    "labels to a topic that is read": ("labels__topic", "llm.traces"),
    "labels to the other topic": ("labels__topic", "llm.feedback"),
    "lake of two readings": ("lake__uri", "@folder@/a%41b/lake"),
    "lake of two readings on S3": ("lake__uri", "s3://bucket/a:b/lake"),
    "flush seconds of zero": ("stream__flush_seconds", 0),
    "flush bytes": ("stream__flush_bytes", "lots"),
    "start": ("stream__start", "middle"),
    "memory of some bytes": ("stream__memory_bytes", 1000),
    "step of a flush": ("stream__fail_at", "nowhere"),
    "port beyond the last": ("metrics__port", 70_000),
    "level of logs": ("log__level", SECRET),
    "protocol of groups": ("kafka__group_protocol", SECRET),
    "properties that are no object": ("kafka__properties", SECRET),
    "property of goldpan's own": ("kafka__properties", {"enable.auto.commit": True}),
    "unknown property": ("kafka__properties", {"no.such.property": "1"}),
    "value of a property": ("kafka__properties", {"security.protocol": "pigeon"}),
    "file of a property": (
        "kafka__properties",
        {"security.protocol": "ssl", "ssl.ca.location": "/nowhere/ca.pem"},
    ),
    "folder of schemas": ("kafka__schemas_dir", "/nowhere/schemas"),
    "address of the registry": ("kafka__schema_registry_url", "registry:8081"),
    "kind of lake": ("lake__uri", "hdfs://somewhere/lake"),
    "address of S3": ("lake__s3_endpoint_url", "minio:9000"),
    "key that is short": ("redact__key", SHORT),
    "key that is no base64": ("redact__key", f"{SECRET}!?"),
    "seal key that is short": ("redact__seal_key", SHORT),
    "seal key that is no base64": ("redact__seal_key", "*" * 44),
    "seal key's file": ("redact__seal_key_file", "/nowhere/seal"),
    "policy that is none": ("redact__policy", "strickt"),
    "policy that is a folder": ("redact__policy", "@folder@"),
}
"""Values that cannot be used: the setting, and what it is set to."""


def _values() -> dict[str, Wrong]:
    """Values that cannot be used, each found before anything is asked of Kafka."""
    found = {
        name: Wrong(
            USED_WRONGLY, (f"GOLDPAN_{setting.upper()}",), _env(**dict[str, Any]({setting: value}))
        )
        for name, (setting, value) in VALUES.items()
    }
    files = {
        "policy of an unknown type": "@folder@/policy.yaml",
        "policy that is no YAML": "@folder@/no.yaml",
    }
    found |= {
        name: Wrong(USED_WRONGLY, (f"{file}, line ",), _env(redact__policy=file))
        for name, file in files.items()
    }
    no_key = _env(redact__policy="strict", redact__key=None)
    no_file = _env(redact__key=None, redact__key_file="/nowhere/key")
    return found | {
        "no key": Wrong(USED_WRONGLY, ("GOLDPAN_REDACT__KEY", "openssl"), no_key),
        "properties' file": Wrong(
            USED_WRONGLY,
            ("kafka.properties_file", "/nowhere/p.json"),
            _env(kafka__properties_file="/nowhere/p.json"),
        ),
        "key's file": Wrong(USED_WRONGLY, ("GOLDPAN_REDACT__KEY_FILE",), no_file),
    }


def _usage() -> dict[str, Wrong]:
    """Options and commands that do not exist, or not with this value."""
    cases: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "no worker": (("--workers",), ("stream", "run", "--workers", "0")),
        "some workers": (("--workers",), ("stream", "run", "--workers", "some")),
        "unknown option": (("--forever", "--help"), ("stream", "run", "--forever")),
        "unknown command": (("walk", "--help"), ("stream", "walk")),
        "word too many": (("now", "--help"), ("stream", "run", "now")),
        "topic of nobody": (
            ("GOLDPAN_KAFKA__TRACES_TOPIC",),
            ("quarantine", "redrive", "--topic", "other"),
        ),
        "negative partition": (("--partition",), ("quarantine", "show", "--partition", "-1")),
    }
    return {name: Wrong(USED_WRONGLY, told, _env(), args) for name, (told, args) in cases.items()}


def _places() -> dict[str, Wrong]:
    """Places that are not what they should be. Where it matters, a broker answers."""
    broker = "@broker@"
    verify, there = ("lake", "verify"), "GOLDPAN_LAKE__URI"
    no_lake = _env(lake="@folder@/none")
    other = _env(broker, "@folder@/other")
    far = _env(broker, "s3://bucket/lake", lake__s3_endpoint_url=f"http://{NOWHERE}")
    no_keys = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    return {
        "file for a lake": Wrong(FAILED, ("a-file", there), _env(broker, "@folder@/a-file")),
        "lake below a file": Wrong(FAILED, ("a-file", there), _env(broker, "@folder@/a-file/x")),
        # Not even root may make a folder there; where there is no /sys, it is just missing.
        "folder of the kernel": Wrong(FAILED, ("/sys/lake", there), _env(broker, "/sys/lake")),
        "file for a table": Wrong(FAILED, ("half/traces", there), _env(broker, "@folder@/half")),
        "other table": Wrong(FAILED, ("other/traces", "lacks trace_id", there), other),
        "other table, verify": Wrong(FAILED, ("other/traces", "lacks trace_id"), other, verify),
        "no lake, verify": Wrong(FAILED, (there, "goldpan lake init"), no_lake, verify),
        "no lake, list": Wrong(FAILED, ("goldpan lake init",), no_lake, ("quarantine", "list")),
        "port in use": Wrong(
            FAILED, (":@port@", "GOLDPAN_METRICS__PORT"), _env(broker, metrics__port="@port@")
        ),
        "memory below what Python takes": Wrong(
            USED_WRONGLY,
            ("GOLDPAN_STREAM__MEMORY_BYTES", " or more"),
            _env(broker, "@folder@/lake-2", stream__memory_bytes="32MiB"),
        ),
        "broker that is not there": Wrong(
            FAILED, (NOWHERE, "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS"), _env()
        ),
        "broker without an address": Wrong(
            FAILED, ("nowhere.invalid", "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS"), _env("nowhere.invalid")
        ),
        "broker that is not there, redrive": Wrong(
            FAILED, ("goldpan lake init",), no_lake, ("quarantine", "redrive")
        ),
        "S3 that is not there": Wrong(
            FAILED, ("s3://bucket", "GOLDPAN_LAKE__S3_ENDPOINT_URL"), far | AWS
        ),
        "no keys of S3": Wrong(FAILED, ("s3://bucket", "AWS_ACCESS_KEY_ID"), far | no_keys),
    }


ONE = {**_unknown(), **_values(), **_usage(), **_places()}

BY_TWO = (
    "unknown variable",
    "unknown property",
    "folder of schemas",
    "policy that is none",
    "broker that is not there",
    "other table",
    "file for a lake",
    "memory below what Python takes",
)
"""Mistakes that a supervisor, or each of its workers, would find."""

WRONG = ONE | {f"{name}, two workers": replace(ONE[name], args=TWO) for name in BY_TWO}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusals]:
    """All wrong commands, under way."""
    folder = tmp_path_factory.mktemp("wrong")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    write_deltalake(str(folder / "other" / "traces"), pa.table({"shoe_size": [44]}))
    mock = MockKafka()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        words = {"folder": str(folder), "broker": mock.bootstrap, "port": port}
        running = Refusals(WRONG, words)
        yield running
        running.close()
    mock.close()


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_in_one_sentence(refusals: Refusals, name: str) -> None:
    """The sentence names the setting or the place, and never what may be a secret."""
    told = refusals.assert_refused(name)
    assert SECRET not in told
    assert SHORT not in told

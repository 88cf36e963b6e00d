"""The manifests are what Kubernetes and its operators accept."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from goldpan.setting_names import variable_name
from tests.architecture.source import ROOT
from tests.deploy.kustomize import OVERLAYS, Manifest, built, built_with, containers, named, of_kind
from tests.deploy.operators import schemas
from tests.short_versions import short

VERSIONS = ("1.33", "1.37")
OURS = re.compile(r"^(v1|\w+/v\d+|[\w.]+\.k8s\.io/v\d+)$")
"""API versions of Kubernetes itself; those of operators hold another domain."""


def _builtin(overlay: str) -> list[Manifest]:
    return [m for m in built(overlay) if OURS.match(m["apiVersion"])]


def _custom(overlay: str) -> list[Manifest]:
    return [m for m in built(overlay) if not OURS.match(m["apiVersion"])]


_PAIRS = [(version, overlay) for version in VERSIONS for overlay in OVERLAYS]


@pytest.mark.parametrize(("version", "overlay"), short(_PAIRS, [*_PAIRS[:1], *_PAIRS[-2:]]))
def test_kubernetes_accepts_every_object(version: str, overlay: str) -> None:
    """Each object fits the schema of its kind, strictly: no field that does not exist."""
    kinds = set()
    for manifest in _builtin(overlay):
        kubernetes_validate.validate(manifest, version, strict=True)
        kinds.add(manifest["kind"])
    assert {"Deployment", "CronJob", "NetworkPolicy", "PodDisruptionBudget"} <= kinds


def test_the_strict_check_finds_a_wrong_field() -> None:
    """A misspelt field, which a cluster would ignore, is an error here."""
    deployment = json.loads(json.dumps(named("local", "Deployment", "goldpan-worker")))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def _closed(schema: Any) -> Any:
    """Return a schema that refuses fields it does not know, as strict field validation does."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    open_ = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_:
        inner.setdefault("additionalProperties", False)
    return inner


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_operators_accept_their_objects(overlay: str) -> None:
    """Objects of operators fit the schemas in these operators' own definitions, strictly."""
    known, kinds = schemas(), set()
    for manifest in _custom(overlay):
        schema = _closed(known[manifest["apiVersion"], manifest["kind"]])
        schema["properties"]["metadata"] = {"type": "object"}
        # Not `jsonschema.validate`: it would refuse the schema for a pattern in Go's own dialect.
        jsonschema.Draft202012Validator(schema).validate(manifest)
        kinds.add(manifest["kind"])
    of_clouds = {"ScaledObject", "PodMonitor", "PrometheusRule", "SecretStore", "ExternalSecret"}
    assert kinds == (set() if overlay == "local" else of_clouds)


def test_the_check_of_operators_finds_a_wrong_field() -> None:
    """A misspelt field of an operator's object is an error here too."""
    scaled = json.loads(json.dumps(named("aws", "ScaledObject", "goldpan-worker")))
    scaled["spec"]["fallbacks"] = scaled["spec"].pop("fallback")
    schema = _closed(schemas()[scaled["apiVersion"], scaled["kind"]])
    errors = [
        error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(scaled)
    ]
    assert any("'fallbacks' was unexpected" in message for message in errors)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_references_lead_somewhere(overlay: str) -> None:
    """ConfigMaps, accounts, claims and secrets that a pod names exist, or are documented."""
    there = {(m["kind"], m["metadata"]["name"]) for m in built(overlay)}
    there |= {("Secret", m["spec"]["target"]["name"]) for m in of_kind(overlay, "ExternalSecret")}
    there.add(("Secret", "goldpan-subjects"))  # made for the one run of the job that erases
    if overlay == "local":
        there.add(("Secret", "goldpan-keys"))  # made by hand: docs/deploy.md
    named_things = set()
    for manifest in built(overlay):
        for key, kind, field in (
            ("configMapRef", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
            ("secretStoreRef", "SecretStore", "name"),
            ("serviceAccountRef", "ServiceAccount", "name"),
            ("scaleTargetRef", "Deployment", "name"),
        ):
            named_things |= {(kind, found[field]) for found in _values(manifest, key)}
        accounts = _values(manifest, "serviceAccountName")
        named_things |= {("ServiceAccount", name) for name in accounts}
    assert named_things - there == set()


def _values(value: Any, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and inner:
                yield inner
            yield from _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_image_is_of_this_version(overlay: str) -> None:
    """Every container runs the version that pyproject.toml names, by a tag that does not move."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, container in containers(overlay):
        assert container["image"].rpartition(":")[2] == version, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_changed_setting_rolls_the_workers(overlay: str) -> None:
    """The names of ConfigMaps hold a hash of their content."""
    maps = [m["metadata"]["name"] for m in of_kind(overlay, "ConfigMap")]
    maps = [name for name in maps if "dashboards" not in name]
    assert maps
    assert all(re.fullmatch(r"goldpan-\w+-[a-z0-9]{10}", name) for name in maps)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_workers_may_have_names_in_the_group(overlay: str, tmp_path: Path) -> None:
    """The component makes them pods of a StatefulSet, each named in the group as in the cluster.

    What scales and disrupts the Deployment means the StatefulSet then.
    """
    objects = {
        (m["kind"], m["metadata"]["name"]): m
        for m in built_with(overlay, "static-members", tmp_path)
    }
    assert ("Deployment", "goldpan-worker") not in objects
    workers = objects["StatefulSet", "goldpan-worker"]
    for version in VERSIONS:
        kubernetes_validate.validate(workers, version, strict=True)
    pods, (container,) = (
        workers["spec"]["template"],
        workers["spec"]["template"]["spec"]["containers"],
    )
    named_by = {item["name"]: item.get("valueFrom") for item in container["env"]}
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    assert named_by[variable_name(("kafka", "group_instance_id"))] == pod_name
    budget = objects["PodDisruptionBudget", "goldpan-worker"]["spec"]["selector"]["matchLabels"]
    assert budget.items() <= pods["metadata"]["labels"].items()
    if scaled := objects.get(("ScaledObject", "goldpan-worker")):
        target = {"kind": "StatefulSet", "name": "goldpan-worker"}
        assert scaled["spec"]["scaleTargetRef"] == target
        assert "replicas" not in workers["spec"]

"""What a base manifest sets itself is what a cluster gets, whatever patches it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from stream.config import parse_size
from tests.architecture.source import ROOT
from tests.deploy.kustomize import OVERLAYS, Manifest, built, containers, template

BASE = ROOT / "deploy" / "k8s" / "base"

ADDED_LABEL = "app.kubernetes.io/name"
MEANT = {
    ("local", "Deployment goldpan-worker", "spec.replicas"),
    ("local", "Deployment goldpan-worker", "spec.template.spec.containers.goldpan.resources"),
    ("aws", "Deployment goldpan-worker", "spec.replicas"),  # taken away: it is KEDA's
    ("gke", "Deployment goldpan-worker", "spec.replicas"),
    ("aws", "NetworkPolicy goldpan-kafka", "spec.egress"),
    ("gke", "NetworkPolicy goldpan-kafka", "spec.egress"),
}
"""What an overlay says otherwise, by a patch for this one object."""


def _documents() -> list[Manifest]:
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    return [
        document
        for file in kustomization["resources"]
        for document in yaml.safe_load_all((BASE / file).read_text(encoding="utf-8"))
    ]


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _values(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its path; items of a list that have names are called by these."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _values(below, f"{at}.{key}")
    elif isinstance(value, list) and all(isinstance(i, dict) and "name" in i for i in value):
        for item in value:
            yield from _values(item, f"{at}.{item['name']}")
    else:
        yield at.removeprefix("."), value


def _as_written(path: str, value: Any) -> Any:
    """Return a value without what every build adds: an image's version, a name's hash, a label."""
    if path.endswith(".image"):
        return re.sub(r"^.*/|:.*$", "", value)
    if isinstance(value, list):
        return [_as_written(path, item) for item in value]
    if isinstance(value, dict):
        return {k: _as_written(path, v) for k, v in value.items() if k != ADDED_LABEL}
    return (
        re.sub(r"^(goldpan-\w+)-[a-z0-9]{10}$", r"\1", value) if isinstance(value, str) else value
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_value_of_a_document_is_rendered(overlay: str) -> None:
    """Each value of a document is that of the object, but for what an overlay says of it."""
    rendered = {_name(manifest): dict(_values(manifest)) for manifest in built(overlay)}
    lost, compared = [], 0
    for document in _documents():
        name = _name(document)
        for path, value in _values(document):
            compared += 1
            got = rendered[name].get(path)
            if _as_written(path, got) != _as_written(path, value) and not _meant(
                overlay, name, path
            ):
                lost.append(f"{name}: {path} is {got!r}, and was to be {value!r}")
    assert not lost, "\n".join(lost)
    assert compared > 400


def _meant(overlay: str, name: str, path: str) -> bool:
    return any(
        (overlay, name) == (where, what) and (path == below or path.startswith(below + "."))
        for where, what, below in MEANT
    )


def test_a_patch_for_all_jobs_says_nothing_that_a_job_says() -> None:
    """What all jobs share and what each job sets are disjoint: no value is in both."""
    common = yaml.safe_load((BASE / "job.yaml").read_text(encoding="utf-8"))
    shared = {path for path, _ in _values(common)} - {"apiVersion", "kind", "metadata.name"}
    for document in _documents():
        if document["kind"] == "CronJob":
            named = {p for p, _ in _values(document) if not p.endswith(".name")}
            assert not shared & named, _name(document)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_container_may_use_what_its_arguments_say(overlay: str) -> None:
    """The memory that a command may use is at least a tenth below its container's limit."""
    told = 0
    for name, container in containers(overlay):
        for words in _memory(container.get("args", [])):
            wanted = parse_size(words)
            limit = parse_size(container["resources"]["limits"]["memory"] + "B")
            assert isinstance(wanted, int), name
            assert isinstance(limit, int), name
            assert limit >= 1.1 * wanted, name
            told += 1
    assert told >= 3


def _memory(arguments: list[str]) -> Iterator[str]:
    for at, word in enumerate(arguments):
        if word == "--memory-mib":
            yield f"{arguments[at + 1]}MiB"
        elif word.startswith("--memory="):
            yield word.removeprefix("--memory=")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_container_may_fill_its_folders(overlay: str) -> None:
    """A folder on the node's disk is no larger than the disk that the pod's containers may use."""
    for manifest in built(overlay):
        pod = template(manifest)
        for volume in pod["spec"].get("volumes", []) if pod else []:
            if "emptyDir" in volume:
                limits = (
                    [c["resources"]["limits"] for c in pod["spec"]["containers"]] if pod else []
                )
                disk = sum(_bytes(limit["ephemeral-storage"]) for limit in limits)
                assert _bytes(volume["emptyDir"]["sizeLimit"]) <= disk, _name(manifest)


def _bytes(quantity: str) -> int:
    size = parse_size(quantity + "B")
    assert isinstance(size, int)
    return size

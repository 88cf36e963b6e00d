"""The manifests as a cluster would get them: each overlay built by kustomize."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.source import ROOT
from tests.servers.cache import cached
from tests.servers.unavailable import ServerUnavailableError, fetch, need_program

OVERLAYS = ("local", "aws", "gke")
_VERSION = "v5.5.0"
_MODULE = "sigs.k8s.io/kustomize/kustomize/v5"
_PURPOSE = "building the manifests"

Manifest = dict[str, Any]


@cache
def _command() -> tuple[str, ...]:
    """Return kustomize, or kubectl, which has it inside, or one that Go builds."""
    if shutil.which("kustomize"):
        return ("kustomize", "build")
    if shutil.which("kubectl"):
        return ("kubectl", "kustomize")
    return (str(cached(f"kustomize-{_VERSION}", _install) / "kustomize"), "build")


def _install(folder: Path) -> None:
    command = [need_program("go", _PURPOSE), "install", f"{_MODULE}@{_VERSION}"]
    fetch(command, _PURPOSE, env={**os.environ, "GOBIN": str(folder)})


@cache
def built(overlay: str) -> tuple[Manifest, ...]:
    """Return the objects of an overlay; skip the test where nothing here can build it."""
    try:
        command = _command()
    except ServerUnavailableError as why:
        pytest.skip(str(why))
    return _built(command, ROOT / "deploy" / "k8s" / "overlays" / overlay)


def built_with(overlay: str, component: str, folder: Path) -> tuple[Manifest, ...]:
    """Return the objects of an overlay with a component that it does not take itself."""
    built(overlay)  # or the test is skipped
    k8s = os.path.relpath(ROOT / "deploy" / "k8s", folder)
    wanted = {
        "resources": [f"{k8s}/overlays/{overlay}"],
        "components": [f"{k8s}/components/{component}"],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(wanted), encoding="utf-8")
    return _built(_command(), folder)


def _built(command: tuple[str, ...], folder: Path) -> tuple[Manifest, ...]:
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> list[Manifest]:
    """Return the objects of one kind."""
    return [manifest for manifest in built(overlay) if manifest["kind"] == kind]


def named(overlay: str, kind: str, name: str) -> Manifest:
    """Return the one object of this kind and name."""
    (found,) = (m for m in of_kind(overlay, kind) if m["metadata"]["name"] == name)
    return found


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Yield the pod template of each workload with the workload's kind and name."""
    for manifest in built(overlay):
        pod = template(manifest)
        if pod is not None:
            yield f"{manifest['kind']} {manifest['metadata']['name']}", pod


def template(manifest: Manifest) -> Manifest | None:
    """Return the pod template of a workload, None if it is none."""
    spec = manifest.get("spec", {})
    if manifest["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
        return dict(spec["template"])
    if manifest["kind"] == "CronJob":
        return dict(spec["jobTemplate"]["spec"]["template"])
    return None


def containers(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Yield every container, those that start before the others too."""
    for name, pod in pods(overlay):
        for key in ("initContainers", "containers", "ephemeralContainers"):
            for container in pod["spec"].get(key, []):
                yield f"{name}: {container['name']}", container


def settings_of(overlay: str, container: Manifest) -> dict[str, str]:
    """Return the environment of a container: that of its ConfigMaps, then its own."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= named(overlay, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {item["name"]: item["value"] for item in container.get("env", [])}

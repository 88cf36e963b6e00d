"""What operators say that their objects are: the schemas in their own definitions, pinned by hash.

The definitions stand in the operators' Go modules, which Go's own client fetches, and which are
taken only if they have the hash that is written here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.cache import cached
from tests.servers.unavailable import ServerUnavailableError, fetch, need_program

_PURPOSE = "checking the objects of operators"

Schemas = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Operator:
    """A Go module (Apache-2.0) at a version, its hash as in a go.sum, and the files in it."""

    module: str
    version: str
    sum: str
    files: tuple[str, ...]


_OPERATORS = (
    _Operator(
        "github.com/kedacore/keda/v2",
        "v2.20.2",
        "h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA=",
        ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    ),
    _Operator(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.93.0",
        "h1:AohlYJT+En8TmNpAcEUJ3GsaJTAqfEBwHmGTVpRm/Io=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
    _Operator(
        "github.com/external-secrets/external-secrets",
        "v1.3.2",
        "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        (
            "config/crds/bases/external-secrets.io_externalsecrets.yaml",
            "config/crds/bases/external-secrets.io_secretstores.yaml",
        ),
    ),
)


@cache
def schemas() -> Schemas:
    """Return the schema of each (API version, kind); skip the test where they cannot be had."""
    versions = "-".join(operator.version for operator in _OPERATORS)
    try:
        folder = cached(f"operators-{versions}", _install)
    except ServerUnavailableError as why:
        pytest.skip(str(why))
    found = json.loads((folder / "schemas.json").read_text(encoding="utf-8"))
    return {(api, kind): schema for api, kind, schema in found}


def _install(folder: Path) -> None:
    found = [one for operator in _OPERATORS for one in _defined(_fetched(operator), operator)]
    (folder / "schemas.json").write_text(json.dumps(found), encoding="utf-8")


def _fetched(operator: _Operator) -> Path:
    """Return the folder of a module, whose hash Go has checked and we compare."""
    go, name = need_program("go", _PURPOSE), f"{operator.module}@{operator.version}"
    told = json.loads(fetch([go, "mod", "download", "-json", name], _PURPOSE))
    assert told["Sum"] == operator.sum, f"{name} is not what it was"
    return Path(told["Dir"])


def _defined(module: Path, operator: _Operator) -> Iterator[tuple[str, str, Any]]:
    for file in operator.files:
        definition = yaml.load((module / file).read_bytes(), yaml.CSafeLoader)["spec"]
        for version in definition["versions"]:
            api = f"{definition['group']}/{version['name']}"
            yield api, definition["names"]["kind"], version["schema"]["openAPIV3Schema"]

"""The compose file: what it names is there, and goldpan takes its settings."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldpan import wiring
from goldpan.settings import load_settings
from tests.architecture.source import ROOT
from tests.deploy.kustomize import containers
from tests.deploy.prometheus import promtool
from tests.deploy.test_commands import calls, parse
from tests.servers.fixtures import missing
from tests.servers.kafka_process import kafka_version
from tests.servers.minio_container import IMAGE as MINIO
from tests.servers.registry import VERSION as REGISTRY
from tests.servers.unavailable import ServerUnavailableError
from tests.servers.worker import TEST_KEY

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_files_that_are_mounted_exist() -> None:
    """Docker would make a folder in the place of a file that is not there."""
    mounts = [
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])
    ]
    files = [name for name in mounts if name.startswith("./")]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert {name for name in mounts if name not in files} == set(COMPOSE["volumes"])


def test_the_servers_are_those_of_the_tests() -> None:
    """Kafka, the registry and S3 have the versions that goldpan is tested with; none is latest."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert SERVICES["registry"]["image"] == f"apicurio/apicurio-registry:{REGISTRY}"
    assert SERVICES["s3"]["image"] == MINIO
    for name, service in SERVICES.items():
        assert re.search(r":[\w.-]*\d", service["image"]), name
        assert "latest" not in service["image"], name


def test_ports_are_open_to_this_machine_only() -> None:
    """Nobody else on the network reaches a server whose password is in the file."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_wait_for_services_that_exist() -> None:
    """`depends_on` names services, and those that must complete do not restart endlessly."""
    for service in SERVICES.values():
        waits = service.get("depends_on", {})
        assert set(waits) <= set(SERVICES)
        for name in waits if isinstance(waits, dict) else ():
            if waits[name]["condition"] == "service_completed_successfully":
                assert SERVICES[name].get("restart", "no") != "always"


def test_the_worker_runs_as_in_production() -> None:
    """Nothing written but /tmp, no capabilities, and time to drain."""
    worker = SERVICES["worker"]
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert int(worker["stop_grace_period"].removesuffix("s")) > 25 + 20 + 2


def test_goldpan_accepts_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable of the worker is a setting, and a worker could be made of them."""
    for name in [name for name in os.environ if name.startswith("GOLDPAN_")]:
        monkeypatch.delenv(name)
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, TEST_KEY if value.startswith("${") else value)
    wiring.check_worker_settings(load_settings())


def test_the_bucket_is_made_by_code_that_compiles() -> None:
    """The few lines that make the bucket are Python, and make the one that the lake is in."""
    (code,) = SERVICES["bucket"]["command"]
    compile(code, "compose.yaml", "exec")
    uri = SERVICES["worker"]["environment"]["GOLDPAN_LAKE__URI"]
    assert f'create_bucket(Bucket="{uri.split("/")[2]}")' in code


def test_prometheus_takes_its_configuration() -> None:
    """promtool accepts it; it looks for workers on their port, and for files that are written."""
    file = ROOT / "deploy" / "compose" / "prometheus.yml"
    try:
        command = [promtool(), "check", "config", "--syntax-only", str(file)]
    except ServerUnavailableError as why:
        missing("prometheus", why)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    workers, *rest = yaml.safe_load(file.read_text())["scrape_configs"]
    assert workers["dns_sd_configs"] == [{"names": ["worker"], "type": "A", "port": 9108}]
    written = [call[-1] for call in calls({"command": ["sh", *SERVICES["state"]["command"]]})]
    assert [f"/tmp/metrics{job['metrics_path']}" for job in rest] == written  # noqa: S108
    assert {t for job in rest for s in job["static_configs"] for t in s["targets"]} == {
        "state:9109"
    }


def test_the_state_is_told_as_in_kubernetes() -> None:
    """The same commands write the same metrics, and goldpan has them."""
    there = (c for _, c in containers("local") if c.get("command", [""])[0] == "sh")
    in_kubernetes = [call[:-1] for container in there for call in calls(container)]
    here = calls({"command": ["sh", *SERVICES["state"]["command"]]})
    assert [call[:-1] for call in here] == in_kubernetes
    for call in here:
        parse(call)


def test_grafana_finds_the_dashboards() -> None:
    """The folder that it reads dashboards from is the one they are mounted at."""
    folder = ROOT / "deploy" / "compose" / "grafana"
    (provider,) = yaml.safe_load((folder / "dashboards.yaml").read_text())["providers"]
    mounted = {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}
    assert provider["options"]["path"] in mounted
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / "deploy" / "observability" / "dashboards" / home.name).is_file()


def test_docker_accepts_the_file() -> None:
    """Where there is Docker with compose, it reads the file without a complaint."""
    docker = shutil.which("docker")
    command = [docker or "docker", "compose"]
    if (
        not docker
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("checking compose.yaml needs `docker compose`, which is not installed")
    env = {**os.environ, "GOLDPAN_REDACT__KEY": TEST_KEY}
    done = subprocess.run(
        [*command, "-f", ROOT / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr

"""An OpenTelemetry Collector as a process: built once with its own builder, which needs Go."""

import os
import re
import time
from pathlib import Path

import httpx

from tests.servers.cache import cached
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.unavailable import fetch, need_program

VERSION = "v0.155.0"
_PURPOSE = "a real OpenTelemetry Collector"
_BUILDER = "go.opentelemetry.io/collector/cmd/builder"
_EXPORTER = "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
_MANIFEST = """\
dist:
  name: otelcol
  output_path: {folder}/build
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver {version}
processors:
  - gomod: go.opentelemetry.io/collector/processor/batchprocessor {version}
exporters:
  - gomod: {exporter} {version}
"""
_READY_SECONDS = 60


def collector_binary() -> Path:
    """The program, built if it is missing; raises ServerUnavailableError."""
    return cached(f"otelcol-{VERSION}", _build) / "otelcol"


def _build(folder: Path) -> None:
    go = need_program("go", _PURPOSE)
    env = {**os.environ, "GOBIN": str(folder)}
    fetch([go, "install", f"{_BUILDER}@{VERSION}"], _PURPOSE, env=env)
    manifest = folder / "manifest.yaml"
    manifest.write_text(
        _MANIFEST.format(folder=folder, version=VERSION, exporter=_EXPORTER), encoding="utf-8"
    )
    builder = [str(folder / "builder"), "--config", str(manifest), "--skip-strict-versioning"]
    fetch([*builder, "--ldflags=-s -w"], _PURPOSE, env=env)
    (folder / "build" / "otelcol").rename(folder / "otelcol")
    (folder / "builder").unlink()


class OtelCollector:
    """A Collector that receives OTLP over HTTP. ``config`` is YAML; its port is replaced."""

    def __init__(self, binary: Path, config: str, folder: Path) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "collector.yaml"
        text, replaced = re.subn(r"endpoint: \S+:4318", f"endpoint: 127.0.0.1:{port}", config)
        if replaced != 1:
            raise ValueError("the configuration has no endpoint with port 4318")
        text = re.sub(r"endpoint: \S+:4317", f"endpoint: 127.0.0.1:{free_port()}", text)
        # Its own metrics have a fixed port, which another Collector may have.
        text += "  telemetry:\n    metrics:\n      level: none\n"
        self.config.write_text(text, encoding="utf-8")
        self._child = ChildProcess(
            [str(binary), "--config", str(self.config)], out=folder / "collector.log"
        )

    def start(self) -> None:
        """Start it, and wait until it answers; raises TimeoutError with the end of its log."""
        self._child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if not self._child.alive or time.monotonic() > deadline:
                raise TimeoutError(f"the Collector does not answer: {self._child.tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, and wait until it has sent everything."""
        self._child.stop()

    def tail(self) -> str:
        """The end of its log."""
        return self._child.tail()

    def _answers(self) -> bool:
        try:
            return httpx.post(f"{self.endpoint}/v1/traces", json={}).is_success
        except httpx.HTTPError:
            return False

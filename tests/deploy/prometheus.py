"""A real Prometheus, and its promtool, from the system's package."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.unavailable import need_program

_READY_SECONDS = 60
PURPOSE = "checking rules and dashboards (Debian package prometheus)"


def promtool() -> str:
    """Path of promtool; raises ServerUnavailableError."""
    return need_program("promtool", PURPOSE)


class Prometheus:
    """A server that scrapes ``targets`` (path to ``host:port``), with ``rules``, every second."""

    def __init__(self, folder: Path, targets: Mapping[str, str], rules: Path) -> None:
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(rules)],
                    "scrape_configs": [
                        {
                            "job_name": f"goldpan{path}",
                            "metrics_path": path,
                            "static_configs": [
                                {"targets": [target], "labels": {"namespace": "goldpan"}}
                            ],
                        }
                        for path, target in targets.items()
                    ],
                }
            )
        )
        self._child = ChildProcess(
            [
                need_program("prometheus", PURPOSE),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            out=folder / "prometheus.log",
        )

    def start(self) -> "Prometheus":
        """Start it and wait until it is ready."""
        self._child.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            if not self._child.alive or time.monotonic() > deadline:
                raise AssertionError(f"Prometheus does not answer\n{self._child.tail()}")
            time.sleep(0.1)
        return self

    def close(self) -> None:
        """Kill it."""
        self._child.kill()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            return json.load(reply)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the series of an expression now, with their values."""
        found = self._get("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def firing(self, alert: str) -> list[dict[str, str]]:
        """Return the labels of each instance of an alert that fires."""
        alerts = self._get("alerts")["alerts"]
        return [
            one["labels"]
            for one in alerts
            if one["labels"]["alertname"] == alert and one["state"] == "firing"
        ]

    def broken_rules(self) -> list[str]:
        """Return the rules whose last evaluation failed, with the error."""
        groups = self._get("rules")["groups"]
        return [
            f"{rule['name']}: {rule.get('lastError')}"
            for group in groups
            for rule in group["rules"]
            if rule["health"] == "err"
        ]

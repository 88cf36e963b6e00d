"""Writes the files generated from code: the dashboards, and the rules as an operator object.

python -m deploy.observability.generate
"""

import json
from pathlib import Path

import yaml

from deploy.observability.panels import DASHBOARDS

FOLDER = Path(__file__).parent
NOTE = "# Written by `python -m deploy.observability.generate` from rules.yaml.\n"


def files() -> dict[str, str]:
    """Return the content of each generated file, by its path in this folder."""
    generated = {
        f"dashboards/{dashboard.uid}.json": json.dumps(dashboard.render(), indent=1) + "\n"
        for dashboard in DASHBOARDS
    }
    return generated | {"prometheusrule.yaml": _operator_rules()}


def _operator_rules() -> str:
    rules = yaml.safe_load((FOLDER / "rules.yaml").read_text(encoding="utf-8"))
    wrapped = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "goldpan", "labels": {"app.kubernetes.io/name": "goldpan"}},
        "spec": rules,
    }
    return NOTE + yaml.safe_dump(wrapped, sort_keys=False, width=200)


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        path = FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

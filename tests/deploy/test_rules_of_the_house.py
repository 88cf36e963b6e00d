"""What a security review asks of the manifests, as tests."""

import base64
import json
import math
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from goldpan.setting_names import variable_name
from goldpan.settings import Settings
from stream.config import parse_size
from tests.architecture.source import ROOT
from tests.deploy.kustomize import (
    OVERLAYS,
    Manifest,
    built,
    containers,
    named,
    of_kind,
    pods,
    settings_of,
)

SECRET_WORDS = re.compile(r"password|secret|token|credential|\bkey\b", re.IGNORECASE)
WORKER = "Deployment goldpan-worker"

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@each_overlay
def test_nothing_runs_as_root(overlay: str) -> None:
    """Each pod says that it is no root, as which number it runs, and has the default seccomp."""
    for name, pod in pods(overlay):
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["runAsGroup"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name


@each_overlay
def test_containers_can_do_little(overlay: str) -> None:
    """No capabilities, no way to gain any, and nothing but mounts that can be written."""
    for name, container in containers(overlay):
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert not context.get("privileged"), name


@each_overlay
def test_pods_share_nothing_with_the_node(overlay: str) -> None:
    """No network, processes, files or ports of the node."""
    for name, pod in pods(overlay):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert all("hostPath" not in volume for volume in spec.get("volumes", [])), name
        for container in spec["containers"]:
            assert all("hostPort" not in port for port in container.get("ports", [])), name


@each_overlay
def test_pods_may_do_nothing_in_kubernetes(overlay: str) -> None:
    """No token of the cluster is mounted, no account is bound to a role, none is the default."""
    assert not [m for m in built(overlay) if "Role" in m["kind"]]
    for name, pod in pods(overlay):
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["serviceAccountName"] not in {None, "default"}, name
    for account in of_kind(overlay, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@each_overlay
def test_everything_has_limits(overlay: str) -> None:
    """Processor, memory and disk are asked for and limited; folders in memory or on disk too."""
    wanted = {"cpu", "memory", "ephemeral-storage"}
    for name, container in containers(overlay):
        assert set(container["resources"]["requests"]) == wanted, name
        assert set(container["resources"]["limits"]) == wanted, name
    for name, pod in pods(overlay):
        for volume in pod["spec"]["volumes"]:
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], name


@each_overlay
def test_images_do_not_move(overlay: str) -> None:
    """Each image has a tag that is a version, or a digest; never `latest`."""
    for name, container in containers(overlay):
        assert re.search(r":\d+\.\d+\.\d+$|@sha256:[0-9a-f]{64}$", container["image"]), name


@each_overlay
def test_no_secret_is_in_the_repository(overlay: str) -> None:
    """There is no Secret with content, and ConfigMaps and variables hold no secret setting."""
    assert of_kind(overlay, "Secret") == []
    secret = _secret_settings()
    assert "GOLDPAN_REDACT__KEY" in secret
    for name, container in containers(overlay):
        environment = settings_of(overlay, container)
        assert not secret & set(environment), name
        for setting, value in environment.items():
            if SECRET_WORDS.search(setting.replace("_", " ")):
                assert value.startswith("/run/goldpan/") or setting.endswith("KEY_ID"), setting
            assert not _looks_like_a_key(value), setting


def _secret_settings() -> set[str]:
    return {
        variable_name((group, name))
        for group, outer in Settings.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, BaseModel)
        for name, field in outer.annotation.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }


def _looks_like_a_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) >= 32
    except ValueError:
        return False


@each_overlay
def test_secrets_come_as_files(overlay: str) -> None:
    """Secrets are mounted, read-only, for owner and group; never in the environment, where a
    crash report or `kubectl describe` would show them.
    """
    for name, container in containers(overlay):
        assert all("valueFrom" not in item for item in container.get("env", [])), name
        assert all("secretRef" not in item for item in container.get("envFrom", [])), name
    for name, pod in pods(overlay):
        secrets = {v["name"]: v["secret"] for v in pod["spec"]["volumes"] if "secret" in v}
        assert all(secret["defaultMode"] == 0o440 for secret in secrets.values()), name
        for container in pod["spec"]["containers"]:
            for mount in container["volumeMounts"]:
                assert mount["name"] not in secrets or mount["readOnly"], name


@each_overlay
def test_the_worker_has_all_probes(overlay: str) -> None:
    """Started, alive and ready are asked on the port of the metrics, each at the right path."""
    (container,) = named(overlay, "Deployment", "goldpan-worker")["spec"]["template"]["spec"][
        "containers"
    ]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {container[probe]["httpGet"]["port"] for probe in paths} == {"metrics"}


@each_overlay
def test_the_worker_has_time_to_drain(overlay: str) -> None:
    """Kubernetes waits longer than a rebalance under way, the drain and the end of a thread."""
    spec = named(overlay, "Deployment", "goldpan-worker")["spec"]["template"]["spec"]
    drain = float(settings_of(overlay, spec["containers"][0])["GOLDPAN_STREAM__DRAIN_SECONDS"])
    rebalance, thread = 20, 2
    assert spec["terminationGracePeriodSeconds"] > drain + rebalance + thread


@each_overlay
def test_the_worker_stays_below_its_memory_limit(overlay: str) -> None:
    """The ceiling of the settings is a tenth below the container's limit, or more."""
    (container,) = named(overlay, "Deployment", "goldpan-worker")["spec"]["template"]["spec"][
        "containers"
    ]
    size = settings_of(overlay, container)["GOLDPAN_STREAM__MEMORY_BYTES"]
    ceiling, resources = parse_size(size), container["resources"]
    assert isinstance(ceiling, int)
    limit = parse_size(resources["limits"]["memory"] + "B")
    assert isinstance(limit, int)
    assert limit >= 1.1 * ceiling
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


@each_overlay
def test_selectors_choose_the_worker(overlay: str) -> None:
    """Deployment, disruption budget, spread and monitor all mean the worker's pods."""
    deployment = named(overlay, "Deployment", "goldpan-worker")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = [
        deployment["selector"],
        named(overlay, "PodDisruptionBudget", "goldpan-worker")["spec"]["selector"],
        *(
            spread["labelSelector"]
            for spread in deployment["template"]["spec"]["topologySpreadConstraints"]
        ),
        *(
            monitor["spec"]["selector"]
            for monitor in of_kind(overlay, "PodMonitor")
            if monitor["metadata"]["name"] == "goldpan-worker"
        ),
    ]
    assert len(selectors) >= 4
    for selector in selectors:
        assert selector["matchLabels"].items() <= labels
        assert "app.kubernetes.io/component" in selector["matchLabels"]


@each_overlay
def test_a_disruption_takes_one_worker(overlay: str) -> None:
    """A drained node takes one worker at a time, and is never blocked."""
    budget = named(overlay, "PodDisruptionBudget", "goldpan-worker")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


@each_overlay
def test_the_network_is_closed_but_for_what_is_needed(overlay: str) -> None:
    """Everything is denied but scraping, names, the lake, and Kafka at its real port."""
    policies = {m["metadata"]["name"]: m["spec"] for m in of_kind(overlay, "NetworkPolicy")}
    assert policies["goldpan-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (container,) = named(overlay, "Deployment", "goldpan-worker")["spec"]["template"]["spec"][
        "containers"
    ]
    for name, deployment in (("metrics", "worker"), ("queue-metrics", "queue")):
        (rule,) = policies[f"goldpan-{name}"]["ingress"]
        pod = named(overlay, "Deployment", f"goldpan-{deployment}")["spec"]["template"]
        ports = {p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", [])}
        assert {p["port"] for p in rule["ports"]} == ports
        assert rule["from"]
        chosen = policies[f"goldpan-{name}"]["podSelector"]["matchLabels"]
        assert chosen.items() <= pod["metadata"]["labels"].items()

    settings = settings_of(overlay, container)
    servers = settings["GOLDPAN_KAFKA__BOOTSTRAP_SERVERS"].split(",")
    ports = {p["port"] for rule in policies["goldpan-kafka"]["egress"] for p in rule["ports"]}
    assert {int(server.rpartition(":")[2]) for server in servers} == ports
    open_to_all = {p["port"] for rule in policies["goldpan-lake"]["egress"] for p in rule["ports"]}
    assert open_to_all == {53, 5353, 443}  # 5353: names, on OpenShift
    (bucket,) = (r for r in policies["goldpan-lake"]["egress"] if r["ports"][0]["port"] == 443)
    blocks = {to["ipBlock"]["cidr"]: to["ipBlock"]["except"] for to in bucket["to"]}
    assert set(blocks) == {"0.0.0.0/0", "::/0"}  # a cluster may be of either
    assert "169.254.0.0/16" in blocks["0.0.0.0/0"]
    assert {"fd00:ec2::254/128", "fe80::/10"} <= set(blocks["::/0"])


@each_overlay
def test_only_those_that_need_kafka_reach_it(overlay: str) -> None:
    """Jobs over the lake have no way to Kafka."""
    (rule,) = named(overlay, "NetworkPolicy", "goldpan-kafka")["spec"]["podSelector"][
        "matchExpressions"
    ]
    for name, pod in pods(overlay):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        settings = settings_of(overlay, pod["spec"]["containers"][0])
        uses_kafka = any(variable.startswith("GOLDPAN_KAFKA__") for variable in settings)
        assert (component in rule["values"]) == uses_kafka, name


@each_overlay
def test_only_those_that_need_a_key_have_it(overlay: str) -> None:
    """Workers, console, erasure and release builds have the key of the pseudonyms."""
    holders = {
        name
        for name, pod in pods(overlay)
        if any(v.get("secret", {}).get("secretName") == "goldpan-keys" for v in _volumes(pod))
    }
    jobs = {f"CronJob goldpan-{job}" for job in ("console", "release", "replay", "erase")}
    assert holders == {WORKER} | jobs


def _volumes(pod: Manifest) -> list[Manifest]:
    return list(pod["spec"]["volumes"])


@each_overlay
def test_deployments_are_asked_how_they_are(overlay: str) -> None:
    """Each Deployment has a container that is asked whether it lives and is ready."""
    for deployment in of_kind(overlay, "Deployment"):
        inside = deployment["spec"]["template"]["spec"]["containers"]
        asked = [c for c in inside if {"livenessProbe", "readinessProbe"} <= set(c)]
        assert asked, deployment["metadata"]["name"]


@each_overlay
def test_jobs_do_not_pile_up(overlay: str) -> None:
    """One run at a time, each with an end; a run that was missed for too long is not made up."""
    jobs = of_kind(overlay, "CronJob")
    assert jobs
    for job in jobs:
        spec, name = job["spec"], job["metadata"]["name"]
        assert spec["concurrencyPolicy"] == "Forbid", name
        assert spec["timeZone"] == "Etc/UTC", name
        assert 0 < spec["startingDeadlineSeconds"] <= 86400, name
        run = spec["jobTemplate"]["spec"]
        assert 0 < run["activeDeadlineSeconds"] <= 6 * 3600, name
        assert run["backoffLimit"] <= 3, name
        assert run["ttlSecondsAfterFinished"] > 0, name
        assert run["template"]["spec"]["restartPolicy"] == "Never", name
        answers = run["podFailurePolicy"]["rules"][0]["onExitCodes"]
        assert (answers["operator"], answers["values"]) == ("In", [1, 2]), name
        assert run["podFailurePolicy"]["rules"][1:] == [
            {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            }
        ], name  # an eviction is no try


@each_overlay
def test_no_two_targets_have_one_identity(overlay: str) -> None:
    """What a monitor scrapes differs in its labels, so that `up` of one cannot hide another's."""
    for monitor in of_kind(overlay, "PodMonitor"):
        seen = [_labels_of(endpoint) for endpoint in monitor["spec"]["podMetricsEndpoints"]]
        assert len({tuple(sorted(labels.items())) for labels in seen}) == len(seen), monitor


def _labels_of(endpoint: Manifest) -> dict[str, str]:
    """Return the labels that a target has of its endpoint: the operator's, and the relabelled."""
    path = endpoint.get("path", "/metrics")
    return {"endpoint": endpoint["port"]} | {
        rule["targetLabel"]: path
        for rule in endpoint.get("relabelings", [])
        if rule["sourceLabels"] == ["__metrics_path__"] and rule.get("action", "replace")
    }


def test_scaling_is_by_age_and_has_a_fallback() -> None:
    """KEDA asks for seconds, of this namespace, and keeps workers when Prometheus is silent."""
    for overlay in ("aws", "gke"):
        scaled = named(overlay, "ScaledObject", "goldpan-worker")["spec"]
        (age,) = (t for t in scaled["triggers"] if t["type"] == "prometheus")
        assert "goldpan_lag_seconds" in age["metadata"]["query"]
        assert "goldpan_lag_records" not in age["metadata"]["query"]
        namespace = named(overlay, "Deployment", "goldpan-worker")["metadata"]["namespace"]
        assert age["metadata"]["query"].count(f'namespace="{namespace}"') == 2
        assert age["metricType"] == "AverageValue"  # the only one with which all KEDAs fall back
        assert scaled["fallback"]["replicas"] >= scaled["minReplicaCount"]
        assert scaled["minReplicaCount"] <= scaled["maxReplicaCount"]
        assert "replicas" not in named(overlay, "Deployment", "goldpan-worker")["spec"]


def test_the_scaling_query_is_a_fixed_point() -> None:
    """At the target age the number of workers stays; at ten times that it doubles, not more."""

    def wanted(workers: int, age: float) -> int:
        return math.ceil(workers * min(age / 60, 2))

    assert wanted(4, 60) == 4
    assert wanted(4, 600) == 8


# -- the lake -------------------------------------------------------------------------------------

IAM = ROOT / "deploy" / "k8s" / "overlays" / "aws" / "iam"


def test_each_account_has_a_policy_of_its_own() -> None:
    """Every role that an account takes is written out, and no policy is without an account."""
    roles = {
        account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].rpartition("/")[2]
        for account in of_kind("aws", "ServiceAccount")
    }
    assert roles == {account["metadata"]["name"] for account in of_kind("aws", "ServiceAccount")}
    written = {f"goldpan-{file.stem}" for file in IAM.glob("*.json")}
    assert written == roles | {"goldpan-trust", "goldpan-bucket"}
    trusted = json.loads((IAM / "trust.json").read_text())["Statement"][0]["Condition"]
    assert any(key.endswith(":sub") for key in trusted["StringEquals"])


def test_a_role_is_taken_by_its_own_account_only() -> None:
    """Where the role is a variable, it is that of the pod's account, and the token is mounted."""
    for name, pod in pods("gke"):
        for container in pod["spec"]["containers"]:
            settings = settings_of("gke", container)
            if "GOLDPAN_LAKE__URI" in settings:
                role = settings["AWS_ROLE_ARN"].rpartition("/")[2]
                assert role == pod["spec"]["serviceAccountName"], name
    names = {account["metadata"]["name"] for account in of_kind("gke", "ServiceAccount")}
    assert names == {account["metadata"]["name"] for account in of_kind("aws", "ServiceAccount")}


def test_no_policy_is_wider_than_the_lake() -> None:
    """No action or resource is a bare star, and all of them name this one bucket or secret."""
    uri = next(iter(_lakes("aws")))
    bucket = uri.removeprefix("s3://").partition("/")[0]
    for file in IAM.glob("*.json"):
        for statement in json.loads(file.read_text())["Statement"]:
            if statement["Effect"] == "Deny" or file.stem == "trust":
                continue
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                ours = (
                    resource.startswith(f"arn:aws:s3:::{bucket}") or ":secret:goldpan/" in resource
                )
                assert ours, (file.name, resource)
            assert not [a for a in statement["Action"] if "*" in a], file.name


def _lakes(overlay: str) -> set[str]:
    settings = [settings_of(overlay, container) for _, container in containers(overlay)]
    return {one["GOLDPAN_LAKE__URI"] for one in settings if one}


@each_overlay
def test_all_work_on_one_lake(overlay: str) -> None:
    """The worker and the jobs have the same address of the lake."""
    assert len(_lakes(overlay)) == 1  # a container that has settings at all has this one


def test_every_file_can_be_read() -> None:
    """Nothing under deploy/ is broken YAML or JSON."""
    for file in Path(ROOT / "deploy").rglob("*"):
        if file.suffix in {".yaml", ".yml"}:
            assert list(yaml.safe_load_all(file.read_text())), file
        elif file.suffix == ".json":
            json.loads(file.read_text())

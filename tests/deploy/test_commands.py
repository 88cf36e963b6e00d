"""What the manifests run is what goldpan has: its commands, its options, its settings."""

import os
import shlex
from datetime import date
from pathlib import Path

import click
import pytest

from batch.release.sampling.spec import parse_spec
from batch.retention.plan import parse_retention_plan
from goldpan import wiring
from goldpan.cli.commands import COMMANDS
from goldpan.cli.lazy import LazyGroup
from goldpan.settings import Settings, load_settings
from tests.deploy.kustomize import (
    OVERLAYS,
    Manifest,
    built_with,
    containers,
    named,
    of_kind,
    settings_of,
    template,
)
from tests.servers.worker import TEST_KEY

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def parse(arguments: list[str]) -> click.Context:
    """Let goldpan's own parser read a command line, without running it."""
    command: click.Command | None = LazyGroup("goldpan", COMMANDS)
    context = click.Context(click.Command("goldpan"))
    rest = list(arguments)
    while isinstance(command, LazyGroup) and rest:
        command = command.get_command(context, rest.pop(0))
    assert command is not None, arguments
    assert not isinstance(command, LazyGroup), arguments
    return command.make_context("goldpan", rest)


def calls(container: Manifest) -> list[list[str]]:
    """Return the command lines of goldpan in a container: its arguments, or lines of its shell."""
    if "command" not in container:
        return [container["args"]]
    program, *rest = container["command"]
    if program != "sh":
        assert program in {"sleep", "python"}, program
        return []
    lines = [line.strip().partition("||")[0] for line in rest[-1].splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("goldpan ")]


@each_overlay
def test_every_command_line_is_one(overlay: str) -> None:
    """No manifest names a command or an option that is not there, or a value it refuses."""
    seen = set()
    for _, container in containers(overlay):
        for call in calls(container):
            parse([os.devnull if word.startswith("/run/") else word for word in call])
            seen.add(tuple(call[:2]))
    assert {("stream", "run"), ("lake", "verify"), ("review", "stats")} <= seen
    assert {("retention", "run"), ("erase", "run"), ("lake", "metrics")} <= seen


@pytest.mark.parametrize("wrong", [["lake", "tidy"], ["stream", "run", "--fast"], ["lake"]])
def test_a_wrong_command_line_is_found(wrong: list[str]) -> None:
    """The check above can fail."""
    with pytest.raises((click.UsageError, AssertionError)):
        parse(wrong)


def _loaded(
    overlay: str, container: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Load the settings of a container, with files of secrets as External Secrets makes them."""
    for variable in [name for name in os.environ if name.startswith("GOLDPAN_")]:
        monkeypatch.delenv(variable)
    contents = {"redact-key": TEST_KEY, "properties.json": '{"sasl.username": "goldpan"}'}
    for variable, value in settings_of(overlay, container).items():
        file = contents.get(Path(value).name)
        if file is None:
            monkeypatch.setenv(variable, value)
        else:
            (folder / Path(value).name).write_text(file)
            monkeypatch.setenv(variable, str(folder / Path(value).name))
    return load_settings()


@each_overlay
def test_goldpan_accepts_the_settings_of_every_container(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every variable is a setting with a value that goldpan takes; a worker could be made of it."""
    for _, container in containers(overlay):
        with monkeypatch.context() as patch:
            settings = _loaded(overlay, container, tmp_path, patch)
            if "stream" in container.get("args", []):
                wiring.check_worker_settings(settings)


@each_overlay
def test_a_mounted_file_is_where_the_setting_says(overlay: str) -> None:
    """Each setting that names a file names one that a volume brings."""
    for name, container in containers(overlay):
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        settings = settings_of(overlay, container)
        files = [value for variable, value in settings.items() if variable.endswith("_FILE")]
        files += [word for call in calls(container) for word in call if word[:1] == "/"]
        assert {str(Path(file).parent) for file in files} <= mounts, name


def test_the_example_of_a_release_is_a_spec() -> None:
    """goldpan reads the spec that the job of releases is given."""
    assert parse_spec(_file_of("release"), "release.yaml").name == "support"


def test_the_example_of_retention_is_a_plan() -> None:
    """goldpan reads the plan that the job is given; it takes no row away by itself."""
    plan = parse_retention_plan(_file_of("retention"), "retention.yaml")
    expiring = {part for rule in plan.tables.values() for part in rule.until(date(2026, 11, 1))}
    assert expiring == {"sealed"}


def _file_of(job: str) -> str:
    maps = [m["metadata"]["name"] for m in of_kind("aws", "ConfigMap")]
    (name,) = (name for name in maps if name.startswith(f"goldpan-{job}-"))
    (text,) = named("aws", "ConfigMap", str(name))["data"].values()
    return str(text)


def test_what_is_written_for_prometheus_is_scraped() -> None:
    """The files that the Deployment goldpan-queue writes are those that its monitor asks for."""
    (container,) = (c for _, c in containers("aws") if c.get("command", [""])[0] == "sh")
    written = {f"/{Path(call[-1]).name}" for call in calls(container)}
    endpoints = named("aws", "PodMonitor", "goldpan-queue")["spec"]["podMetricsEndpoints"]
    assert {endpoint["path"] for endpoint in endpoints} == written


@each_overlay
def test_no_id_of_a_person_is_in_a_manifest(overlay: str) -> None:
    """The persons to erase are in a mounted Secret of the one run, and nowhere else."""
    (container,) = named(overlay, "CronJob", "goldpan-erase")["spec"]["jobTemplate"]["spec"][
        "template"
    ]["spec"]["containers"]
    assert container["args"][:3] == ["erase", "run", "--subjects"]
    assert container["args"][3].startswith("/run/goldpan/subjects/")
    assert "--subject" not in container["args"]


@each_overlay
def test_jobs_are_found_by_their_alert(overlay: str) -> None:
    """Names of jobs begin with `goldpan-`, which is how the alerts about jobs find them."""
    names = [job["metadata"]["name"] for job in of_kind(overlay, "CronJob")]
    assert names
    assert all(name.startswith("goldpan-") for name in names)


def test_former_keys_go_to_who_recognises_people(tmp_path: Path) -> None:
    """The component gives them to the worker, the console, replays and erasures, as a file."""
    variable, holders = "GOLDPAN_REDACT__FORMER_KEYS_FILE", set()
    for manifest in built_with("aws", "former-keys", tmp_path):
        pod = template(manifest)
        for container in pod["spec"]["containers"] if pod else ():
            own = {item["name"]: item["value"] for item in container.get("env", [])}
            mounts = {
                m["mountPath"]: m["readOnly"] for m in container["volumeMounts"] if "readOnly" in m
            }
            if variable in own:
                holders.add(manifest["metadata"]["name"])
                assert mounts[str(Path(own[variable]).parent)] is True
    assert holders == {f"goldpan-{name}" for name in ("worker", "console", "replay", "erase")}

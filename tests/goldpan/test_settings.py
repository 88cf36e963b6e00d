"""Settings: where they come from, which wins, and what is said about wrong ones."""

import base64
import json
import os
from pathlib import Path

import pytest

from goldpan.settings import load_settings
from goldpan.settings_docs import render_settings_page
from schemas.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine that runs the tests do not count."""
    for name in [name for name in os.environ if name.startswith("GOLDPAN_")]:
        monkeypatch.delenv(name)


def _toml(folder: Path, text: str) -> Path:
    file = folder / "goldpan.toml"
    file.write_text(text)
    return file


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable changes one setting and leaves its neighbours in the file as they are."""
    file = _toml(tmp_path, '[kafka]\ngroup_id = "file"\ntraces_topic = "t"\n[lake]\nuri = "l"\n')
    monkeypatch.setenv("GOLDPAN_KAFKA__GROUP_ID", "environment")
    settings = load_settings(file)
    assert (settings.kafka.group_id, settings.kafka.traces_topic) == ("environment", "t")
    assert settings.lake.uri == "l"


@pytest.mark.parametrize(
    ("text", "size"),
    [("128MiB", 128 * 2**20), ("1000", 1000), ("1.5 kB", 1500), ("2gib", 2 * 2**30)],
)
def test_sizes_have_units(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    """A size is a number of bytes or a number with a unit."""
    monkeypatch.setenv("GOLDPAN_STREAM__FLUSH_BYTES", text)
    assert load_settings().stream.flush_bytes == size


@pytest.mark.parametrize("name", ["REDACT__CACHE_DIR", "REDACT__KEY_FILE"])
def test_a_path_with_a_tilde_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Only shells know it: it would make a folder of that name, wherever the worker is."""
    monkeypatch.setenv(f"GOLDPAN_{name}", "~/kept")
    with pytest.raises(UsageError, match="must not begin with ~"):
        load_settings()


def test_kafka_properties_are_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any librdkafka property goes through one variable."""
    monkeypatch.setenv("GOLDPAN_KAFKA__PROPERTIES", '{"security.protocol": "SSL", "retries": 3}')
    assert load_settings().kafka.properties == {"security.protocol": "SSL", "retries": 3}


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords may lie in files, as orchestrators mount them; what is set beside them wins."""
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "properties").write_text('{"sasl.password": "p", "client.id": "file"}')
    monkeypatch.setenv("GOLDPAN_KAFKA__SCHEMA_REGISTRY_USER", "u")
    monkeypatch.setenv("GOLDPAN_KAFKA__SCHEMA_REGISTRY_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("GOLDPAN_KAFKA__PROPERTIES_FILE", str(tmp_path / "properties"))
    monkeypatch.setenv("GOLDPAN_KAFKA__PROPERTIES", '{"client.id": "environment"}')
    kafka = load_settings().kafka
    assert kafka.schema_registry_password is not None
    assert kafka.schema_registry_password.get_secret_value() == "hunter2"
    assert kafka.properties == {"sasl.password": "p", "client.id": "environment"}


def test_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass empty variables on; they mean the default."""
    monkeypatch.setenv("GOLDPAN_LAKE__S3_ENDPOINT_URL", "")
    assert load_settings().lake.s3_endpoint_url is None


@pytest.mark.parametrize(
    "name",
    ["GOLDPAN_PORT", "GOLDPAN_SERVICE_HOST", "GOLDPAN_WORKER_PORT_9108_TCP_ADDR"],
)
def test_service_links_of_kubernetes_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A service called goldpan in the same namespace does not stop the worker from starting."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:9108")
    load_settings()


WRONG = [
    ("GOLDPAN_KAFKA__BOOTSTRAP_SERVER", "x", "did you mean GOLDPAN_KAFKA__BOOTSTRAP_SERVERS?"),
    ("GOLDPAN_KAFAK__GROUP_ID", "x", "did you mean GOLDPAN_KAFKA__GROUP_ID?"),
    ("GOLDPAN_BOOTSTRAP", "x", "is not a setting"),
    ("GOLDPAN_KAFKA__PROPERTIES__X", "x", "did you mean GOLDPAN_KAFKA__PROPERTIES?"),
    ("GOLDPAN_KAFKA__PROPERTIES", "a=b", "must be a JSON object"),
    ("GOLDPAN_KAFKA__PROPERTIES", '{"group.id": "g"}', "use the setting group_id"),
    ("GOLDPAN_KAFKA__PROPERTIES", '{"group.instance.id": "w"}', "the setting group_instance_id"),
    ("GOLDPAN_KAFKA__GROUP_INSTANCE_ID", "worker 0", "must be a name of letters, digits"),
    ("GOLDPAN_KAFKA__GROUP_PROTOCOL", "new", "must be one of 'classic', 'consumer'"),
    ("GOLDPAN_STREAM__FLUSH_SECONDS", "soon", "must be a valid number"),
    ("GOLDPAN_STREAM__FLUSH_SECONDS", "0", "must be greater than 0"),
    ("GOLDPAN_STREAM__FLUSH_BYTES", "12 apples", "must be a size such as 128MiB"),
    ("GOLDPAN_METRICS__PORT", "70000", "must be less than or equal to 65535"),
    ("GOLDPAN_LAKE__URI", "gs://bucket", "must be a folder, or begin with file:// or s3://"),
    ("GOLDPAN_LAKE__URI", "s3://", "names no bucket"),
    ("GOLDPAN_LAKE__URI", '"/data/lake"', "must not be in quotes"),
    ("GOLDPAN_LAKE__URI", "'/data/lake'", "must not be in quotes"),
    ("GOLDPAN_LAKE__URI", "$HOME/lake", "$NAME and ~ are not expanded"),
    ("GOLDPAN_LAKE__URI", "${HOME}/lake", "$NAME and ~ are not expanded"),
    ("GOLDPAN_LAKE__URI", "/data/${TEAM}/lake", "$NAME and ~ are not expanded"),
    ("GOLDPAN_LAKE__URI", "~/lake", "$NAME and ~ are not expanded"),
    ("GOLDPAN_LAKE__URI", "/data/lake ", "must not begin or end with a blank"),
    ("GOLDPAN_LAKE__URI", "/data/lake\r", "must not begin or end with a blank"),
    ("GOLDPAN_LAKE__URI", "/data/la\u200bke", "must not have control or invisible characters"),
    ("GOLDPAN_LAKE__URI", "file://data/lake", "as in file:///data/lake"),
    ("GOLDPAN_LAKE__URI", "file:/data/lake", "must be a folder, or begin with file://"),
    ("GOLDPAN_LAKE__URI", "s3:/bucket/lake", "must be a folder, or begin with file://"),
    ("GOLDPAN_LAKE__RELEASES_URI", "$HOME/releases", "$NAME and ~ are not expanded"),
    ("GOLDPAN_KAFKA__BOOTSTRAP_SERVERS", '"kafka:9092"', "must not be in quotes"),
    ("GOLDPAN_KAFKA__TRACES_TOPIC", "llm.traces ", "must not begin or end with a blank"),
    ("GOLDPAN_REDACT__POLICY", '"strict"', "must not be in quotes"),
    ("GOLDPAN_STREAM__RETRY_SECONDS", "inf", "must be a finite number"),
    ("GOLDPAN_STREAM__FLUSH_SECONDS", "nan", "must be"),
    ("GOLDPAN_TRACING__RATIO", "nan", "must be"),
    ("GOLDPAN_METRICS__PORT", "09108", "must be a number in plain decimal digits"),
    ("GOLDPAN_STREAM__FLUSH_BYTES", "1_000_000", "must be a number in plain decimal digits"),
    ("GOLDPAN_LAKE__S3_ENDPOINT_URL", "minio:9000", "must begin with http:// or https://"),
]


@pytest.mark.parametrize(("name", "value", "told"), WRONG)
def test_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """One sentence names the variable as it was written and says what would be right."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as error:
        load_settings()
    sentence = str(error.value)
    assert sentence.startswith(name)
    assert told in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[kafka]\ngroup_di = 'x'", "kafka.group_di in {file} is not a setting; did you mean"),
        ("[strem]\nx = 1", "[strem] in {file} is not a group of settings; did you mean stream?"),
        ("kafka = 3", "kafka in {file} must be a table"),
        ("[stream]\nflush_seconds = 'x'", "stream.flush_seconds in {file} must be a valid number"),
        ("[kafka", "The file {file} of --config is not TOML"),
        ("[metrics]\nport = true", "metrics.port in {file} must be a number, not true or false"),
        ("[stream]\nretry_seconds = true", "stream.retry_seconds in {file} must be a number, not"),
        ("[stream]\nmemory_bytes = true", "stream.memory_bytes in {file} must be a number, not"),
        ("[stream]\ndrain_seconds = inf", "stream.drain_seconds in {file} must be a finite"),
        ("[redact]\naudit = 1", "redact.audit in {file} must be true or false"),
        ("[lake]\nuri = true", "lake.uri in {file} must be a valid string"),
    ],
)
def test_wrong_key_in_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    """What is wrong in the file is told with the file's name."""
    file = _toml(tmp_path, text)
    with pytest.raises(UsageError) as error:
        load_settings(file)
    assert str(error.value).startswith(told.format(file=file))


def test_variable_is_blamed_where_it_hides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If both set it, the variable counts, so the variable is named."""
    file = _toml(tmp_path, "[stream]\nflush_seconds = 3")
    monkeypatch.setenv("GOLDPAN_STREAM__FLUSH_SECONDS", "x")
    with pytest.raises(UsageError, match=r"^GOLDPAN_STREAM__FLUSH_SECONDS must"):
        load_settings(file)


_A, _B = (base64.b64encode(letter * 32).decode() for letter in (b"a", b"b"))
_TWO_NAMES = [("redact", "key"), ("redact", "seal_key"), ("release", "signing_key")]


@pytest.mark.parametrize(("group", "name"), _TWO_NAMES)
@pytest.mark.parametrize("by_file", [True, False])
def test_the_environment_wins_under_either_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, name: str, by_file: bool
) -> None:
    """A value and a file of it are one setting: what the environment says wins over the file's."""
    (tmp_path / "a").write_text(_A)
    (tmp_path / "b").write_text(_B)
    in_toml = f'{name} = "{_A}"' if by_file else f'{name}_file = "{tmp_path}/a"'
    toml = _toml(tmp_path, f"[{group}]\n{in_toml}")
    variable = f"GOLDPAN_{group.upper()}__{name.upper()}"
    monkeypatch.setenv(
        f"{variable}_FILE" if by_file else variable, f"{tmp_path}/b" if by_file else _B
    )
    read = getattr(load_settings(toml), group)
    found, file = getattr(read, name), getattr(read, f"{name}_file")
    assert (file.read_text() if found is None else found.get_secret_value()) == _B
    assert (found is None) != (file is None)


def test_the_password_of_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for the registry's password, and for each property of Kafka's client."""
    (tmp_path / "password").write_text("environment")
    (tmp_path / "properties").write_text('{"client.id": "environment", "retries": 1}')
    toml = _toml(
        tmp_path,
        '[kafka]\nschema_registry_user = "u"\nschema_registry_password = "toml"\n'
        '[kafka.properties]\n"client.id" = "toml"\n"linger.ms" = 2\n',
    )
    monkeypatch.setenv("GOLDPAN_KAFKA__SCHEMA_REGISTRY_PASSWORD_FILE", f"{tmp_path}/password")
    monkeypatch.setenv("GOLDPAN_KAFKA__PROPERTIES_FILE", f"{tmp_path}/properties")
    kafka = load_settings(toml).kafka
    assert kafka.schema_registry_password is not None
    assert kafka.schema_registry_password.get_secret_value() == "environment"
    assert kafka.properties == {"client.id": "environment", "retries": 1, "linger.ms": 2}


@pytest.mark.parametrize("variable", ["REDACT__KEY", "KAFKA__SCHEMA_REGISTRY_PASSWORD"])
def test_two_values_of_one_setting_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A value and a file that differ, both in the environment: nobody knows which is meant."""
    (tmp_path / "b").write_text(_B)
    if variable.startswith("KAFKA"):
        monkeypatch.setenv("GOLDPAN_KAFKA__SCHEMA_REGISTRY_USER", "u")
    monkeypatch.setenv(f"GOLDPAN_{variable}", _A)
    monkeypatch.setenv(f"GOLDPAN_{variable}_FILE", f"{tmp_path}/b")
    with pytest.raises(UsageError, match=f"^GOLDPAN_{variable} and .*_FILE are both set, and diff"):
        load_settings()
    monkeypatch.setenv(f"GOLDPAN_{variable}", _B)
    load_settings()


def test_a_variable_in_two_spellings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of variables are read in any case; two that differ are two values of one setting."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "one")
    monkeypatch.setenv("goldpan_lake__uri", "two")
    with pytest.raises(UsageError, match="are the same setting with different values"):
        load_settings()


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Editors put a mark in front of UTF-8; UTF-16 is named."""
    file = tmp_path / "goldpan.toml"
    file.write_bytes(b"\xef\xbb\xbf[lake]\nuri = 'l'\n")
    assert load_settings(file).lake.uri == "l"
    file.write_bytes("[lake]\nuri = 'l'\n".encode("utf-16"))
    with pytest.raises(UsageError, match="it is UTF-16; save it as UTF-8"):
        load_settings(file)


def test_settings_that_do_not_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two topics that are one would mix two kinds of record."""
    monkeypatch.setenv("GOLDPAN_KAFKA__TRACES_TOPIC", "llm.feedback")
    with pytest.raises(UsageError, match=r"GOLDPAN_KAFKA__.*different topics"):
        load_settings()


SECRET = "kFq0-not-for-anybody"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOLDPAN_KAFKA__PROPERTIES", json.dumps({"sasl.password": SECRET, "group.id": "x"})),
        ("GOLDPAN_KAFKA__PROPERTIES", json.dumps({"sasl.password": [SECRET]})),
        ("GOLDPAN_KAFKA__PROPERTIES", SECRET),
        ("GOLDPAN_KAFKA__SCHEMA_REGISTRY_PASSWORD", SECRET),
        ("GOLDPAN_KAFKA__SCHEMA_REGISTRY_PASSWORT", SECRET),
        ("GOLDPAN_REDACT__KEY_ID", f"{SECRET} {SECRET}"),
    ],
)
def test_no_value_is_ever_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that is refused may be a secret, and errors end up in logs."""
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as error:
        load_settings()
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None


def test_representation_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows neither keys nor Kafka's properties."""
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", SECRET)
    monkeypatch.setenv("GOLDPAN_KAFKA__PROPERTIES", json.dumps({"sasl.password": SECRET}))
    assert SECRET not in repr(load_settings())


def test_page_of_settings_is_up_to_date() -> None:
    """docs/settings.md is what ``python -m goldpan.settings_docs docs/settings.md`` writes."""
    assert PAGE.read_text(encoding="utf-8") == render_settings_page()

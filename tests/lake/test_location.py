"""One address, one place: what two libraries would read in two ways is refused, and they agree."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lake.config import LakeSettings
from lake.location import LakeLocation
from lake.tables import Lake
from schemas.errors import UsageError
from tests.servers.s3 import S3

READ_IN_TWO_WAYS = ("#", "?", "%41", "%4b", "%2F", "[", "]", "\\", "^", "|", "\t", "\n", "\x7f")
ON_S3_TOO = (":", "//", "/./", "/../")
READ_IN_ONE = (" ", "%", "%zz", "+", "=", "@", "&", "~", "'", "ü", "日", "{}", "*", ";", "<", ",")


@pytest.mark.parametrize("text", READ_IN_TWO_WAYS)
@pytest.mark.parametrize("root", ["/data/", "s3://bucket/", ""])
def test_what_is_read_in_two_ways_is_refused(root: str, text: str) -> None:
    """With the characters, before anything is written anywhere."""
    with pytest.raises(UsageError, match="GOLDPAN_LAKE__URI"):
        LakeLocation(f"{root}a{text}b/lake")


@pytest.mark.parametrize("text", ON_S3_TOO)
def test_keys_are_no_paths(text: str) -> None:
    """What a URL resolves, S3 takes by the letter."""
    with pytest.raises(UsageError, match="GOLDPAN_LAKE__URI"):
        LakeLocation(f"s3://bucket/a{text}b/lake")


@pytest.mark.parametrize("uri", ["file:///data/x#y/lake", "file:///data/x?y", "file:///a/b%2541"])
def test_files_may_have_addresses(uri: str) -> None:
    """A part that a URL cuts off is none of a folder's name, and no second decoding is done."""
    with pytest.raises(UsageError, match="GOLDPAN_LAKE__URI"):
        LakeLocation(uri)


def test_the_folder_that_a_relative_address_lies_in_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a part of what is handed on."""
    folder = tmp_path / "x#y"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="'#'"):
        Lake(LakeSettings(uri="lake"))


@pytest.mark.parametrize("text", READ_IN_ONE)
def test_what_is_accepted_is_one_place_in_a_folder(tmp_path: Path, text: str) -> None:
    """delta-rs and goldpan find each other's files, and the history of the table."""
    location = LakeLocation(str(tmp_path / f"a{text}b" / "lake"))
    uri = location.table_uri("t")
    Path(uri).mkdir(parents=True)
    write_deltalake(uri, pa.table({"a": [1]}))
    assert location.files("t").find("_delta_log/00000000000000000000.json") is not None
    assert len(DeltaTable(uri).history()) == 1


def test_what_is_accepted_is_one_place_in_a_bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, by keys."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    bucket, found = s3.create_bucket(), {}
    for number, text in enumerate(READ_IN_ONE):
        location = LakeLocation(f"s3://{bucket}/{number}/a{text}b/lake", s3.endpoint)
        uri, options = location.table_uri("t"), location.table_options()
        write_deltalake(uri, pa.table({"a": [1]}), storage_options=options)
        log = location.files("t").find("_delta_log/00000000000000000000.json")
        history = DeltaTable(uri, storage_options=options).history()
        found[text] = (log is not None, len(history))
    assert found == dict.fromkeys(READ_IN_ONE, (True, 1))


@pytest.mark.parametrize("way", ["setting", "variable", "profile", "another profile"])
def test_keys_and_endpoint_are_found_by_one_chain(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Keys of a profile, and an endpoint from wherever boto3 takes it, are delta-rs's too."""
    bucket = s3.create_bucket()
    profile = "other" if way == "another profile" else "default"
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    gateway = s3.gateway
    (tmp_path / "credentials").write_text(
        f"[{profile}]\naws_access_key_id = {gateway.access_key}\n"
        f"aws_secret_access_key = {gateway.secret_key}\n"
    )
    section = profile if profile == "default" else f"profile {profile}"
    there = f"endpoint_url = {s3.endpoint}\n" if "profile" in way else ""
    (tmp_path / "config").write_text(f"[{section}]\nregion = {gateway.region}\n{there}")
    if profile != "default":
        monkeypatch.setenv("AWS_PROFILE", profile)
    if way == "variable":
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    endpoint = s3.endpoint if way == "setting" else None
    lake = Lake(LakeSettings(uri=f"s3://{bucket}/lake", s3_endpoint_url=endpoint))
    assert lake.init(["traces"]) == ["traces"]


def test_a_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name; nothing of AWS is asked for."""
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(UsageError, match="nowhere"):
        Lake(LakeSettings(uri="s3://bucket/lake")).init()

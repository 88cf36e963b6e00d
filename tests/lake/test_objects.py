"""A file is there whole or not at all, and every refusal says what a person can do."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber

from lake.objects import FolderStore
from lake.s3_store import S3Store
from schemas.errors import FatalError, RetryableError


@pytest.fixture
def folder_store(tmp_path: Path) -> FolderStore:
    """An empty folder."""
    return FolderStore(tmp_path / "lake")


def test_what_is_put_can_be_got(folder_store: FolderStore) -> None:
    """With its size, and listed under its path."""
    folder_store.put("a/b.parquet", b"12345")
    folder_store.put("a/c.parquet", memoryview(b"1"))
    assert (folder_store.get("a/b.parquet"), folder_store.size("a/b.parquet")) == (b"12345", 5)
    assert list(folder_store.walk("a")) == [("a/b.parquet", 5), ("a/c.parquet", 1)]
    assert folder_store.size("a/other") is None
    assert list(folder_store.walk("other")) == []


def test_others_may_read_what_they_may_read_of_any_new_file(
    folder_store: FolderStore, tmp_path: Path
) -> None:
    """A lake that several people share: the files have the rights that the process gives to all."""
    (tmp_path / "any").touch()
    folder_store.put("a", b"1")
    folder_store.put_new("b", b"1")
    usual = (tmp_path / "any").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "lake").iterdir()} == {usual}


def test_a_put_may_be_repeated(folder_store: FolderStore) -> None:
    """The second one leaves the same file."""
    for _ in range(2):
        folder_store.put("a", b"12345")
    assert list(folder_store.walk("")) == [("a", 5)]


def test_a_new_file_is_never_written_over(folder_store: FolderStore, tmp_path: Path) -> None:
    """Of two contents for one path the first stays; the same content again is a success."""
    assert folder_store.put_new("a/1.json", b"first")
    assert not folder_store.put_new("a/1.json", b"second")
    assert folder_store.put_new("a/1.json", b"first")
    assert folder_store.get("a/1.json") == b"first"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1.json"]


def test_a_new_file_that_is_there_takes_no_room(
    folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, who finds that its content is there already can go on."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert folder_store.put_new("a/1.json", b"first")
    monkeypatch.setattr(os, "fsync", full)
    assert folder_store.put_new("a/1.json", b"first")
    assert not folder_store.put_new("a/1.json", b"second")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing(
    folder_store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A full disk is a reason to try again, and no half file is left under any name."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RetryableError, match="No space left on device"):
        folder_store.put("a/b", b"12345")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_process_that_dies_leaves_no_file_under_the_name(
    folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written so far has another name until it is on the disk."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        folder_store.put("a/b.parquet", b"12345")
    assert folder_store.size("a/b.parquet") is None


def test_files_that_go_while_they_are_listed_are_passed_over(
    folder_store: FolderStore, tmp_path: Path
) -> None:
    """Writers beside us rename their temporary files, and removals take empty folders along."""
    for path in ("a/1", "b/2", "c/3"):
        folder_store.put(path, b"1")
    listing = folder_store.walk("")
    assert next(listing) == ("a/1", 1)
    folder_store.remove("b/2")
    assert list(listing) == [("c/3", 1)]


def test_what_a_dead_writer_left_can_be_cleared(folder_store: FolderStore, tmp_path: Path) -> None:
    """Its temporary file goes; a purge of a file is the removal of it."""
    folder_store.put("a/b", b"1")
    folder_store.put("a/c", b"1")
    (tmp_path / "lake" / "a" / ".writing-0123").write_bytes(b"half")
    assert folder_store.drop_unfinished("") == 1
    assert folder_store.drop_unfinished("") == 0
    folder_store.purge("a/b")
    assert [path for path, _ in folder_store.walk("")] == ["a/c"]


def test_a_writer_whose_temporary_file_was_cleared_tries_again(
    folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told that there was no good answer, as when a store is away for a moment."""
    sync = os.fsync

    def cleared(descriptor: int) -> None:
        sync(descriptor)
        folder_store.drop_unfinished("")

    for put in (folder_store.put, folder_store.put_new):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", cleared)
            with pytest.raises(RetryableError):
                put("a/b", b"1")
        put("a/b", b"1")
        folder_store.remove("a/b")


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied")])
def test_a_folder_that_may_not_be_written_is_fatal(
    folder_store: FolderStore, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """Trying again would not help; the message names the folder and the setting."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FatalError, match=r"lake.*Permission denied.*GOLDPAN_LAKE__URI"):
        folder_store.check()


def test_a_file_in_the_way_is_fatal(tmp_path: Path) -> None:
    """The lake cannot be made where a file is."""
    (tmp_path / "lake").write_text("")
    with pytest.raises(FatalError, match="GOLDPAN_LAKE__URI"):
        FolderStore(tmp_path / "lake").put("a/b", b"1")


@pytest.fixture
def stubbed_bucket(monkeypatch: pytest.MonkeyPatch) -> tuple[S3Store, Stubber]:
    """A bucket that answers as it is told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients: list[Any] = []

    def remembering(*args: Any, **kwargs: Any) -> Any:
        clients.append(make_client(*args, **kwargs))
        return clients[-1]

    make_client = boto3.session.Session.client
    monkeypatch.setattr(boto3.session.Session, "client", remembering)
    store = S3Store("bucket", "lake/traces", endpoint_url=None)
    stub = Stubber(clients[0])
    stub.activate()
    return store, stub


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("AccessDenied", 403, "access was denied"),
        ("InvalidAccessKeyId", 403, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY"),
        ("NoSuchBucket", 404, "GOLDPAN_LAKE__URI"),
    ],
)
def test_what_s3_refuses_for_good_is_fatal(
    stubbed_bucket: tuple[S3Store, Stubber], code: str, status: int, says: str
) -> None:
    """The message names the bucket and what to mend."""
    store, stub = stubbed_bucket
    stub.add_client_error("put_object", code, http_status_code=status)
    with pytest.raises(FatalError, match=f"s3://bucket: writing a.*{says}"):
        store.put("a", b"1")


@pytest.mark.parametrize(
    ("code", "status"), [("InternalError", 500), ("SlowDown", 503), ("RequestTimeout", 400)]
)
def test_what_s3_may_mend_is_tried_again(
    stubbed_bucket: tuple[S3Store, Stubber], code: str, status: int
) -> None:
    """Trouble on the server's side passes."""
    store, stub = stubbed_bucket
    stub.add_client_error("put_object", code, http_status_code=status)
    with pytest.raises(RetryableError, match=code):
        store.put("a", b"1")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="http://s3"), RetryableError),
        (ReadTimeoutError(endpoint_url="http://s3"), RetryableError),
        (NoCredentialsError(), FatalError),
    ],
)
def test_no_answer_and_no_credentials_are_told_apart(
    stubbed_bucket: tuple[S3Store, Stubber],
    error: Exception,
    kind: type[Exception],
) -> None:
    """One passes, the other is for a person; every verb tells."""
    store, stub = stubbed_bucket

    def fail(**_: object) -> None:
        raise error

    stub.deactivate()
    stub.client.meta.events.register("before-call.s3", fail)
    for act in (
        lambda: store.put("a", b"1"),
        lambda: store.get("a"),
        lambda: store.size("a"),
        lambda: list(store.walk("")),
        store.check,
    ):
        with pytest.raises(kind):
            act()


def test_keys_lie_under_the_prefix(stubbed_bucket: tuple[S3Store, Stubber]) -> None:
    """Paths are relative to the table, whatever its prefix in the bucket."""
    store, stub = stubbed_bucket
    where = {"Bucket": "bucket", "Key": "lake/traces/a/b"}
    stub.add_response("head_object", {"ContentLength": 5}, where)
    stub.add_client_error("head_object", "404", http_status_code=404, expected_params=where)
    listed = {"Contents": [{"Key": "lake/traces/a/b", "Size": 5}], "IsTruncated": False}
    wanted = {"Bucket": "bucket", "Prefix": "lake/traces/a"}
    stub.add_response("list_objects_v2", listed, wanted)
    assert (store.size("a/b"), store.size("a/b")) == (5, None)
    assert list(store.walk("a")) == [("a/b", 5)]


def test_a_swap_is_for_who_saw_what_is_there(folder_store: FolderStore) -> None:
    """It may be repeated; who comes late, or finds nothing, changes nothing."""
    folder_store.put("a/b", b"1")
    assert folder_store.swap("a/b", b"1", b"2")
    assert folder_store.swap("a/b", b"1", b"2")
    assert not folder_store.swap("a/b", b"1", b"3")
    assert folder_store.get("a/b") == b"2"
    assert not folder_store.swap("a/c", b"1", b"2")
    assert [path for path, _ in folder_store.walk("")] == ["a/b"]


def test_of_many_who_swap_each_takes_up_what_another_left(folder_store: FolderStore) -> None:
    """Nothing that one has swapped in is lost by another: all words of all are there."""
    folder_store.put("words", b"")

    def add(writer: int) -> None:
        for number in range(20):
            word = b"%d-%d " % (writer, number)
            while not folder_store.swap("words", old := folder_store.get("words"), old + word):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert len(set(folder_store.get("words").split())) == 80

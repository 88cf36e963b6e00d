"""What a release is verified against: a pin, a publisher's key, and whether it is in force."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from batch.release.format.files import MANIFEST, sha256
from batch.release.publish.verify import verify_release
from lake.objects import FolderStore
from redact.crypto.signing import Signer
from tests.batch.release.kit import open_repository
from tests.batch.release.people import erased, rows_of
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.servers.in_process import Run, runner
from tests.servers.worker import TEST_KEY

SEED = bytes(range(1, 33))
OURS, THEIRS = Signer(SEED).public, Signer(bytes(32)).public
SPEC = "name: pins\nwindow: {from: 2026-11-01, to: 2026-12-01}\nsize: 6\nseed: 1\n"
SPEC += "redaction_policies: any\n"


@pytest.fixture(scope="module")
def pins_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a spec."""
    folder = tmp_path_factory.mktemp("pins")
    traces = conversations(4)
    make_lake(folder / "lake", traces, labels_for(traces))
    (folder / "pins.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def run_pins(
    pins_workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan in that folder."""
    monkeypatch.chdir(pins_workspace)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)

    return runner(capsys)


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher's key, in the settings."""
    monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY", base64.b64encode(SEED).decode())


def built(run: Run, place: Path, name: str) -> dict[str, Any]:
    """Build a release of that name."""
    spec = place / f"{name}.yaml"
    spec.write_text(SPEC.replace("pins", name))
    done = run("release", "build", str(spec), "--json")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


_plain: dict[Path, dict[str, Any]] = {}


def plain(run: Run, place: Path) -> dict[str, Any]:
    """Build a release that nobody signs or changes, once."""
    if place not in _plain:
        _plain[place] = built(run, place, "plain")
    return _plain[place]


def folder_of(place: Path, name: str) -> Path:
    """Return the folder of its first version."""
    return place / "lake" / "releases" / name / "1.0.0"


def test_only_the_whole_digest_is_a_pin(run_pins: Run, pins_workspace: Path) -> None:
    """An empty pin is an error, not a release that passes."""
    digest = plain(run_pins, pins_workspace)["digest"].removeprefix("sha256:")
    where = (str(folder_of(pins_workspace, "plain")), "plain@1.0.0")
    wrong = ["", "sha256:", " ", digest[:12], digest[:-1], f"{digest}0", f"sha256:{digest[:63]}"]
    wrong += [f"sha512:{digest}", f"{digest}\n", f" {digest}", f"sha256:sha256:{digest}", "x" * 64]
    for release in where:
        for pin in wrong:
            done = run_pins("release", "verify", release, "--expect", pin)
            assert (done.returncode, done.stdout) == (2, ""), pin
            assert "64 digits" in done.stderr
        for pin in (digest, f"sha256:{digest}"):
            assert run_pins("release", "verify", release, "--expect", pin).returncode == 0
        for pin in ("0" * 64, digest[::-1]):
            done = run_pins("release", "verify", release, "--expect", pin)
            assert done.returncode == 1
            assert f"its digest is sha256:{digest}" in done.stdout


def test_a_part_of_a_digest_picks_a_version_and_proves_nothing(
    run_pins: Run, pins_workspace: Path
) -> None:
    """``NAME@sha256:…`` accepts 12 digits; part of a digest is never a pin."""
    digest = plain(run_pins, pins_workspace)["digest"]
    assert run_pins("release", "verify", f"plain@{digest[:19]}").returncode == 0
    assert run_pins("release", "verify", f"plain@{digest[:18]}").returncode == 2
    store = FolderStore(folder_of(pins_workspace, "plain"))
    for short in ("", digest.removeprefix("sha256:")[:63]):
        assert not verify_release(store, expected=short).ok


def test_the_printed_digest_can_be_pinned(run_pins: Run, pins_workspace: Path) -> None:
    """``build`` prints the whole digest on one line."""
    (pins_workspace / "print.yaml").write_text(SPEC.replace("pins", "print"))
    done = run_pins("release", "build", "print.yaml")
    digest = sha256((folder_of(pins_workspace, "print") / MANIFEST).read_bytes())
    assert f"pin it as print@sha256:{digest}\n" in done.stdout


def test_a_withdrawn_version_does_not_pass(run_pins: Run, pins_workspace: Path) -> None:
    """CI fails for a withdrawn version with the reason, unless it allows withdrawn ones."""
    built(run_pins, pins_workspace, "gone")
    assert (
        run_pins("release", "withdraw", "gone@1.0.0", "--reason", "labels were wrong").returncode
        == 0
    )
    for release in ("gone@1.0.0", str(folder_of(pins_workspace, "gone"))):
        done = run_pins("release", "verify", release)
        assert done.returncode == 1
        assert "withdrawn: labels were wrong" in done.stdout
        assert not done.stdout.startswith("ok")
        said = json.loads(run_pins("release", "verify", release, "--json").stdout)
        assert (said["ok"], said["withdrawn"]) == (False, "labels were wrong")
        meant = run_pins("release", "verify", release, "--allow-withdrawn", "--json")
        assert (meant.returncode, json.loads(meant.stdout)["ok"]) == (0, True)
    data = folder_of(pins_workspace, "gone") / "data.parquet"
    data.write_bytes(data.read_bytes()[:-1])
    done = run_pins("release", "verify", "gone@1.0.0", "--allow-withdrawn")
    assert done.returncode == 1, "to know of a withdrawal allows nothing else"


@pytest.mark.usefixtures("signing")
def test_a_publisher_signs_what_is_built(run_pins: Run, pins_workspace: Path) -> None:
    """The origin of a release is proved by a key that only its publisher has."""
    said = built(run_pins, pins_workspace, "signed")
    assert said["signed_by"] == OURS
    for release in ("signed@1.0.0", str(folder_of(pins_workspace, "signed"))):
        done = run_pins("release", "verify", release, "--signed-by", OURS, "--json")
        assert (done.returncode, json.loads(done.stdout)["publishers"]) == (0, [OURS])
        other = run_pins("release", "verify", release, "--signed-by", THEIRS)
        assert other.returncode == 1
        assert f"it is not signed by {THEIRS}" in other.stdout
    before = sorted(folder_of(pins_workspace, "signed").iterdir())
    assert built(run_pins, pins_workspace, "signed")["published"] is False
    assert sorted(folder_of(pins_workspace, "signed").iterdir()) == before


def test_an_unsigned_release_passes_only_if_no_key_is_required(
    run_pins: Run, pins_workspace: Path
) -> None:
    """A release without its signature does not pass as the publisher's."""
    assert plain(run_pins, pins_workspace)["signed_by"] is None
    assert run_pins("release", "verify", "plain@1.0.0").returncode == 0
    done = run_pins("release", "verify", "plain@1.0.0", "--signed-by", OURS)
    assert done.returncode == 1
    assert "by nobody" in done.stdout


@pytest.mark.parametrize("option", ["--signed-by", "--erased-by"])
def test_an_empty_or_short_key_is_refused(run_pins: Run, pins_workspace: Path, option: str) -> None:
    """An empty key matches nothing, whether or not there are signatures."""
    plain(run_pins, pins_workspace)
    for key in ("", OURS[:-1], f"{OURS}0", "sha256:" + OURS, OURS.replace(OURS[0], "g")):
        assert run_pins("release", "verify", "plain@1.0.0", option, key).returncode == 2


def test_a_signature_is_of_one_version_and_is_not_changed(
    run_pins: Run, pins_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every verification detects a signature that was changed or copied from another release."""
    monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY", base64.b64encode(SEED).decode())
    built(run_pins, pins_workspace, "one")
    built(run_pins, pins_workspace, "two")
    (one,) = folder_of(pins_workspace, "one").glob("SIGNED-*.json")
    (two,) = folder_of(pins_workspace, "two").glob("SIGNED-*.json")
    good = one.read_bytes()
    for data in (
        two.read_bytes(),
        good.replace(b'"1.0.0"', b'"1.0.1"'),
        good.replace(OURS.encode(), THEIRS.encode()),
        b"{}",
        b"[]",
        b"\xff",
    ):
        one.write_bytes(data)
        assert run_pins("release", "verify", "one@1.0.0").returncode == 1, data
        assert run_pins("release", "verify", "one@1.0.0", "--signed-by", OURS).returncode == 1
    one.write_bytes(good)
    assert run_pins("release", "verify", "one@1.0.0", "--signed-by", OURS).returncode == 0


def test_a_published_version_can_be_signed_later_by_several(
    run_pins: Run, pins_workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``release sign`` signs a published version after verifying it; other publishers may too."""
    built(run_pins, pins_workspace, "late")
    assert run_pins("release", "sign", "late@1.0.0").returncode == 2
    for number, seed in enumerate((SEED, bytes(32))):
        file = tmp_path / f"{number}.key"
        file.write_bytes(base64.b64encode(seed) + b"\n")
        monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY_FILE", str(file))
        monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY_ID", f"late-{number}")
        for _ in range(2):
            assert run_pins("release", "sign", "late").returncode == 0
    said = json.loads(run_pins("release", "verify", "late", "--json").stdout)
    assert said["publishers"] == sorted([OURS, THEIRS])
    data = folder_of(pins_workspace, "late") / "data.parquet"
    data.write_bytes(data.read_bytes()[:-1])
    assert run_pins("release", "sign", "late@1.0.0").returncode == 2


@pytest.mark.parametrize("key", ["short", "bm90IDMyIGJ5dGVz", "é"])
def test_an_invalid_signing_key_is_refused_before_a_build(
    run_pins: Run, pins_workspace: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The sentence names the setting, and not the key."""
    monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY", key)
    (pins_workspace / "nokey.yaml").write_text(SPEC.replace("pins", "nokey"))
    done = run_pins("release", "build", "nokey.yaml")
    assert done.returncode == 2
    assert "GOLDPAN_RELEASE__SIGNING_KEY" in done.stderr
    assert key not in done.stderr
    assert not folder_of(pins_workspace, "nokey").exists()


@pytest.mark.usefixtures("signing")
def test_a_signature_outlives_an_erasure(
    run_pins: Run, pins_workspace: Path, tmp_path: Path
) -> None:
    """Rows that are erased change neither the digest nor what was signed."""
    built(run_pins, pins_workspace, "some")
    copied = tmp_path / "some" / "1.0.0"
    shutil.copytree(folder_of(pins_workspace, "some"), copied)
    shutil.copytree(
        folder_of(pins_workspace, "some").parent / "claims", tmp_path / "some" / "claims"
    )
    (gone, *_) = rows_of(copied)
    erased(open_repository(tmp_path), [gone["trace_id"]], 1)
    done = run_pins("release", "verify", str(copied), "--signed-by", OURS)
    assert done.returncode == 0, done.stdout
    assert "ok except" in done.stdout


@pytest.mark.usefixtures("signing")
def test_a_signature_can_be_checked_without_goldpan(run_pins: Run, pins_workspace: Path) -> None:
    """The lines of the page verify a signature, with nothing but a library of Ed25519."""
    said = built(run_pins, pins_workspace, "page")
    (file,) = folder_of(pins_workspace, "page").glob("SIGNED-*.json")
    body = json.loads(file.read_text())
    key, signature = (bytes.fromhex(body.pop(name)) for name in ("signed_by", "signature"))
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode())
    assert body["digest"] == said["digest"]


def test_another_key_under_the_name_of_a_publishers_is_refused(
    run_pins: Run, pins_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key under the same name signs nothing; a new key needs a new name."""
    for seed, name, code in ((SEED, "q1", 0), (bytes(32), "q1", 2), (bytes(32), "q2", 0)):
        monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY", base64.b64encode(seed).decode())
        monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY_ID", name)
        (pins_workspace / "mixed.yaml").write_text(SPEC.replace("pins", "mixed"))
        done = run_pins("release", "build", "mixed.yaml")
        assert done.returncode == code, done.stderr
        if code:
            assert "GOLDPAN_RELEASE__SIGNING_KEY_ID" in done.stderr
    assert "mixed" in run_pins("release", "list").stdout
    said = json.loads(run_pins("release", "verify", "mixed", "--json").stdout)
    assert said["publishers"] == sorted([OURS, THEIRS])

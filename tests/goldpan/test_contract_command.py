"""Producers ask before they send: what is refused, where, and never a value of what it holds."""

import json
from pathlib import Path

import pytest
import yaml

from schemas.arrow import TABLES
from schemas.contract import CONTRACTS
from tests.make import records
from tests.partners.environment import Partners
from tests.servers.worker import run_goldpan

SECRET = "sesame-4711"


def lines(folder: Path, *values: object) -> Path:
    """Write values as lines of a file."""
    file = folder / "records.jsonl"
    file.write_bytes(
        b"\n".join(v if isinstance(v, bytes) else records.encode_json(v) for v in values)  # type: ignore[arg-type]
    )
    return file


def test_records_that_fit(tmp_path: Path) -> None:
    """Exit code 0; blank lines are passed over."""
    file = lines(tmp_path, records.trace(1), b"", records.trace(2))
    done = run_goldpan({}, "contract", "check", str(file))
    assert (done.returncode, done.stdout) == (0, "2 match the contract, 0 do not\n")


def test_records_that_do_not(tmp_path: Path) -> None:
    """Exit code 1; each is named by its line, field and rule, without its content."""
    good, unknown = records.trace(1), records.trace(2) | {"user_ids": SECRET}
    file = lines(tmp_path, good, unknown, SECRET.encode(), records.trace(3, status=SECRET))
    done = run_goldpan({}, "contract", "check", str(file), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["fit"]) == (1, 1)
    found = [(one["line"], one["reason"], one["field"]) for one in told["misfits"]]
    assert found == [
        (2, "unknown_field", None),
        (3, "not_json", None),
        (4, "out_of_range", "status"),
    ]
    assert SECRET not in done.stdout + done.stderr
    shown = run_goldpan({}, "contract", "check", str(file))
    assert shown.stdout.splitlines()[1] == (
        f"{file}:2: The record has a field that the contract does not know. "
        "(unknown_field: user_ids (is it user_id?))"
    )
    assert SECRET not in shown.stdout + shown.stderr


def test_unknown_fields_are_named_by_their_path(tmp_path: Path) -> None:
    """Also within lists, and in records of the shape of OpenAI's; the first few of many."""
    message = {"role": "user", "content": [{"type": "text", "text": "a"}], "mood": SECRET}
    theirs = records.trace(1) | {"messages": [message], "request": {"secret": SECRET}}
    many = records.trace(2) | {f"field{n}": SECRET for n in range(9)}
    done = run_goldpan({}, "contract", "check", str(lines(tmp_path, theirs, many)), "--json")
    first, second = json.loads(done.stdout)["misfits"]
    assert set(first["unknown"]) == {"messages[0].mood", "request.secret"}
    assert second["unknown"] == [f"field{n}" for n in range(5)]
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["trace", "feedback"])
def test_schemas_of_producers(tmp_path: Path, kind: str) -> None:
    """The contract's own schema fits; one that lacks a required field does not."""
    done = run_goldpan({}, "contract", "export", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    file = tmp_path / f"{kind}.avsc"
    assert json.loads(file.read_text()) == CONTRACTS[kind].avro
    assert run_goldpan({}, "contract", "check", "--record", kind, str(file)).returncode == 0
    avsc = json.loads(file.read_text())
    avsc["fields"] = [field for field in avsc["fields"] if field["name"] != "trace_id"]
    file.write_text(json.dumps(avsc))
    done = run_goldpan({}, "contract", "check", "--record", kind, str(file), "--json")
    (misfit,) = json.loads(done.stdout)["misfits"]
    assert (done.returncode, misfit["field"]) == (1, "trace_id")
    file.write_text("{")
    done = run_goldpan({}, "contract", "check", "--record", kind, str(file))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_contract_s_own_past() -> None:
    """Without files it tells that this version reads what released ones did."""
    done = run_goldpan({}, "contract", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ok": True, "problems": []})


def test_the_data_contract_of_the_tables(tmp_path: Path, partners: Partners) -> None:
    """ODCS names every table and column, and the package of the standard reads it."""
    run_goldpan({}, "contract", "export", "--format", "odcs", "--out", str(tmp_path))
    file = tmp_path / "lake.odcs.yaml"
    tables = {one["name"]: one for one in yaml.safe_load(file.read_text())["schema"]}
    assert {
        name: [column["name"] for column in table["properties"]] for name, table in tables.items()
    } == {name: table.arrow.names for name, table in TABLES.items()}
    read = partners.run("read_contract.py", file, cwd=tmp_path)
    assert read["columns"] == TABLES["traces"].arrow.names


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One sentence, exit code 2."""
    (tmp_path / "file").write_text("")
    done = run_goldpan({}, "contract", "export", "--out", str(tmp_path / "file" / "below"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)

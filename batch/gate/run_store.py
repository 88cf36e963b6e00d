"""Where runs of gates are kept: ``evaluations/<gate>/<series>/<look>/`` under the lake.

A series is what the looks at one candidate have in common: the release and the outputs. A look is
claimed by putting its ``run.json``, if there is none; ``SHA256SUMS`` comes last and completes it.
The same run again has the same files, so that what was cut off is completed by the next one.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from batch.gate.gate_run import (
    GateRun,
    KeptReadings,
    KeptRun,
    RunInputs,
    decode_readings,
    parse_run,
)
from lake.objects import ObjectStore
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, UsageError

RUN: Final = "run.json"
READINGS: Final = "readings.parquet"
CHECKSUMS: Final = "SHA256SUMS"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*/[0-9a-f]{12}(?:/[0-9]+)?")
_CLAIM: Final = re.compile(r"([a-z][a-z0-9_-]*/[0-9a-f]{12})/([0-9]+)/run\.json")


def is_run_name(text: str) -> bool:
    """Return whether a text may name a run, or a series."""
    return _NAME.fullmatch(text) is not None


class LookPlace:
    """The place of a run among the looks at its candidate: the series, and the look from 1."""

    def __init__(self, gate: str, series: str, number: int) -> None:
        self.look = number
        self.name = f"{gate}/{series}/{number}"


class GateRunStore:
    """All kept runs of a lake."""

    def __init__(self, files: ObjectStore, retry: Retry) -> None:
        self._files = files
        self._retry = retry

    def find(self, name: str) -> KeptRun:
        """Return a run; ``<gate>/<series>`` means its last look. UsageError if there is none."""
        if not is_run_name(name):
            raise UsageError(f"{name!r} is not the name of a run: it reads GATE/SERIES/LOOK")
        places = self._places(name if name.count("/") == 1 else name.rpartition("/")[0])
        wanted = name if name.count("/") == 2 else places[-1] if places else name
        if wanted not in places:
            raise UsageError(f"there is no run {name} in evaluations/")
        run = self._read(wanted)
        if not run.is_complete:
            raise UsageError(
                f"evaluations/{wanted} is not complete, since its program ended before: run that "
                "gate again with the same files"
            )
        return run

    def find_place(self, inputs: RunInputs, readings: bytes) -> LookPlace:
        """Return where a run belongs: the look that it is, or the one that it repeats.

        Without outputs of a candidate, its verdicts say which series they continue. Raises
        UsageError if verdicts of an earlier look are others now: they are fresh calls, and one of
        both would be picked.
        """
        read = decode_readings(readings, READINGS)
        series = inputs.series
        if series is None:
            return self._place_by_verdicts(inputs, read)
        runs = [self._read(name) for name in self._places(f"{inputs.gate}/{series}")]
        for run in runs:
            if run.digest == inputs.digest:
                return LookPlace(inputs.gate, series, _look_of(run.name))
        changed = max((run.contradicted(read) for run in runs), default=0)
        if changed:
            raise UsageError(
                f"The gate {inputs.gate} has looked at this candidate before, in run "
                f"{runs[-1].name}, and {changed} verdicts, values or reviews are others now, "
                "or are gone. A repetition with fresh calls is refused, since one of both would be "
                "picked: give those of then, and more if there are"
            )
        return LookPlace(inputs.gate, series, len(runs) + 1)

    def _place_by_verdicts(self, inputs: RunInputs, read: KeptReadings) -> LookPlace:
        all_series = dict.fromkeys(
            name.rpartition("/")[0] for name in self._places(f"{inputs.gate}")
        )
        for series in all_series:
            runs = [self._read(name) for name in self._places(series)]
            held = runs[-1].document["inputs"]
            if held["candidate"] is not None or held["release_digest"] != inputs.release_digest:
                continue
            digits = series.rpartition("/")[2]
            for run in runs:
                if run.digest == inputs.digest:
                    return LookPlace(inputs.gate, digits, _look_of(run.name))
            if not any(run.contradicted(read) for run in runs):
                return LookPlace(inputs.gate, digits, len(runs) + 1)
        return LookPlace(inputs.gate, inputs.digest[:12], 1)

    def keep(self, target: LookPlace, run: GateRun, pages: Mapping[str, bytes]) -> bool:
        """Keep a run at its place; return whether it is new.

        Raises FencedError if another program has taken the look meanwhile.
        """
        document = json.dumps(run.to_json(target.name), indent=1, sort_keys=True).encode() + b"\n"
        files = {RUN: document, READINGS: run.readings, **pages}
        sums = "".join(
            f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
        ).encode()
        if not self._put_new(f"{target.name}/{RUN}", document):
            raise FencedError(
                f"evaluations/{target.name} was taken by another look meanwhile: run the gate again"
            )
        if self._find(f"{target.name}/{CHECKSUMS}") is not None:
            return False
        for name, data in files.items():
            self._put_new(f"{target.name}/{name}", data)
        self._put_new(f"{target.name}/{CHECKSUMS}", sums)
        return True

    def _places(self, prefix: str) -> list[str]:
        def walk() -> list[str]:
            return [path for path, _ in self._files.walk(f"{prefix}/")]

        found = self._retry.call("listing the evaluations", walk)
        claims = [match for path in found if (match := _CLAIM.fullmatch(path))]
        ordered = sorted((match[1], int(match[2])) for match in claims)
        return [f"{series}/{look}" for series, look in ordered]

    def _read(self, name: str) -> KeptRun:
        """Return a run; without readings if it is not complete, because its program was killed."""
        document, readings, sums = (
            self._find(f"{name}/{file}") for file in (RUN, READINGS, CHECKSUMS)
        )
        if document is None or sums is None or readings is None:
            return parse_run(name, document or b"", None)
        listed: dict[str, str] = {}
        for line in sums.decode(errors="replace").splitlines():
            digest, _, file = line.partition("  ")
            listed[file] = digest
        for file, data in ((RUN, document), (READINGS, readings)):
            if listed.get(file) != sha256(data).hexdigest():
                raise FatalError(f"evaluations/{name}/{file} is not the file that was written")
        return parse_run(name, document, readings)

    def _find(self, path: str) -> bytes | None:
        return self._retry.call(f"reading evaluations/{path}", lambda: self._files.find(path))

    def _put_new(self, path: str, data: bytes) -> bool:
        return self._retry.call(
            f"writing evaluations/{path}", lambda: self._files.put_new(path, data)
        )


def _look_of(name: str) -> int:
    return int(name.rpartition("/")[2])

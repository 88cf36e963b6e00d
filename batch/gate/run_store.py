"""Where runs of gates are kept: ``evaluations/<gate>/<series>/<look>/`` under the lake.

A series is what the looks at one candidate have in common: the release and the outputs. A look is
claimed by putting its ``run.json``, if there is none; ``SHA256SUMS`` comes last and completes it.
The same run again has the same files, so that what was cut off is completed by the next one.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple

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


class LookPlace(NamedTuple):
    """The place of a run among the looks at its candidate: ``GATE/SERIES``, and the look from 1."""

    series: str
    look: int

    @property
    def name(self) -> str:
        """Return the name of the run."""
        return f"{self.series}/{self.look}"


class GateRunStore:
    """All kept runs of a lake."""

    def __init__(self, files: ObjectStore, retry: Retry) -> None:
        self._files = files
        self._retry = retry

    def find(self, name: str) -> KeptRun:
        """Return a run; ``<gate>/<series>`` means its last look. UsageError if there is none."""
        if not is_run_name(name):
            raise UsageError(f"{name!r} is not the name of a run: it reads GATE/SERIES/LOOK")
        gate, series, *_ = name.split("/")
        places = self._places(f"{gate}/{series}")
        named = [place for place in places if name in (place.series, place.name)]
        if not named:
            raise UsageError(f"there is no run {name} in evaluations/")
        run = self._read(named[-1])
        if not run.is_complete:
            raise UsageError(
                f"evaluations/{run.name} is not complete, since its program ended before: run that "
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
        if inputs.series is None:
            return self._place_by_verdicts(inputs, read)
        series = f"{inputs.gate}/{inputs.series}"
        looks = self._looks(series)
        if (same := _same_run(looks, inputs)) is not None:
            return same
        runs = list(looks.values())
        changed = max((run.contradicted(read, inputs.baseline) for run in runs), default=0)
        if changed:
            raise UsageError(
                f"The gate {inputs.gate} has looked at this candidate before, in run "
                f"{runs[-1].name}, and {changed} verdicts, values or reviews are others now, "
                "or are gone. A repetition with fresh calls is refused, since one of both would be "
                "picked: give those of then, and more if there are"
            )
        return LookPlace(series, len(runs) + 1)

    def _place_by_verdicts(self, inputs: RunInputs, read: KeptReadings) -> LookPlace:
        for series in dict.fromkeys(place.series for place in self._places(inputs.gate)):
            looks = self._looks(series)
            runs = list(looks.values())
            held = runs[-1].document["inputs"]
            if held["candidate"] is not None or held["release_digest"] != inputs.release_digest:
                continue
            if (same := _same_run(looks, inputs)) is not None:
                return same
            if not any(run.contradicted(read, inputs.baseline) for run in runs):
                return LookPlace(series, len(runs) + 1)
        return LookPlace(f"{inputs.gate}/{inputs.digest[:12]}", 1)

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

    def _looks(self, series: str) -> dict[LookPlace, KeptRun]:
        """Return the runs of a series, in the order of the looks."""
        return {place: self._read(place) for place in self._places(series)}

    def _places(self, prefix: str) -> list[LookPlace]:
        def walk() -> list[str]:
            return [path for path, _ in self._files.walk(f"{prefix}/")]

        found = self._retry.call("listing the evaluations", walk)
        claims = [match for path in found if (match := _CLAIM.fullmatch(path))]
        return sorted(LookPlace(match[1], int(match[2])) for match in claims)

    def _read(self, place: LookPlace) -> KeptRun:
        """Return a run; without readings if it is not complete, because its program was killed."""
        name = place.name
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


def _same_run(looks: Mapping[LookPlace, KeptRun], inputs: RunInputs) -> LookPlace | None:
    """Return the look that a run with these inputs repeats, None if there is none."""
    return next((place for place, run in looks.items() if run.digest == inputs.digest), None)

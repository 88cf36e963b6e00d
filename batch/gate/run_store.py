"""Where runs of gates are kept: ``evaluations/<gate>/<series>/<look>/`` under the lake.

A series is what the looks at one candidate have in common: the release and the outputs. A look is
claimed by putting its ``run.json``, if there is none; ``SHA256SUMS`` comes last and completes it.
The same run again has the same files, so that what was cut off is completed by the next one. Only
sealed answers are no part of ``SHA256SUMS``, since an erasure may remove some
(`batch.gate.kept_answers`).
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
    parse_gate_run,
    parse_run,
)
from batch.gate.kept_answers import SealedAnswers, decode_answers
from batch.release.format.files import checksum_file, parse_checksums
from lake.objects import ObjectStore
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, UsageError

RUN: Final = "run.json"
READINGS: Final = "readings.parquet"
ANSWERS: Final = "answers.parquet"
CHECKSUMS: Final = "SHA256SUMS"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*/[0-9a-f]{12}(?:/[0-9]+)?")
_CLAIM: Final = re.compile(r"([a-z][a-z0-9_-]*/[0-9a-f]{12})/([0-9]+)/run\.json")


def is_run_name(text: str) -> bool:
    """Return whether a text may name a run, or a series."""
    return _NAME.fullmatch(text) is not None


def answers_path(name: str) -> str:
    """Return the path of the answers of a run, for messages."""
    return f"evaluations/{name}/{ANSWERS}"


class LookPlace(NamedTuple):
    """The place of a run among the looks at its candidate: ``GATE/SERIES``, and the look from 1."""

    series: str
    look: int

    @property
    def name(self) -> str:
        """Return the name of the run."""
        return f"{self.series}/{self.look}"


class LoadedRun(NamedTuple):
    """A kept run with all its files read and verified; without ``answers`` none are kept."""

    name: str
    run: GateRun
    answers: SealedAnswers | None


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

    def list_runs(self) -> list[KeptRun]:
        """Return all runs by name and look, without what they read."""
        runs = []
        for place in self._places(""):
            document, sums = (self._find(f"{place.name}/{file}") for file in (RUN, CHECKSUMS))
            run = parse_run(place.name, document or b"", None)
            runs.append(run._replace(is_complete=sums is not None))
        return runs

    def load(self, name: str) -> LoadedRun:
        """Return a run with its files; see `find`. Raises FatalError if one of them was changed."""
        found = self.find(name)
        folder = f"evaluations/{found.name}"
        sums = parse_checksums(self._find(f"{found.name}/{CHECKSUMS}") or b"")
        for file, expected in sums.items():
            data = self._find(f"{found.name}/{file}")
            if data is None or sha256(data).hexdigest() != expected:
                raise FatalError(f"{folder}/{file} is not the file that was written")
        answers = self.answers(found.name)
        readings = self._find(f"{found.name}/{READINGS}") or b""
        run = parse_gate_run(found.name, found.document, readings, answers)
        if answers is None:
            return LoadedRun(found.name, run, None)
        sealed = decode_answers(answers, run.inputs.digest, answers_path(found.name))
        return LoadedRun(found.name, run, sealed)

    def answers(self, name: str) -> bytes | None:
        """Return the file of a run's answers, None if there is none."""
        return self._find(f"{name}/{ANSWERS}")

    def swap_answers(self, name: str, old: bytes, new: SealedAnswers) -> bool:
        """Replace the answers that were read; return whether nobody else has replaced them."""
        return self._swap(f"{name}/{ANSWERS}", old, new.encode())

    def purge_answers(self) -> None:
        """Remove older versions of answers, which only buckets keep."""

        def remove() -> None:
            for hidden in self._files.hidden(""):
                if not hidden.marker and hidden.path.endswith(f"/{ANSWERS}"):
                    self._files.remove_hidden(hidden)

        self._retry.call("purging the evaluations", remove)

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

        A complete run with the same inputs stays as it is. One that was cut off is completed, and
        written anew if rows were erased from the release meanwhile. Raises FencedError if another
        program has taken the look.
        """
        document = json.dumps(run.to_json(target.name), indent=1, sort_keys=True).encode() + b"\n"
        files = {RUN: document, READINGS: run.readings, **pages}
        if not self._put_new(f"{target.name}/{RUN}", document):
            held = parse_run(target.name, self._find(f"{target.name}/{RUN}") or b"", None)
            if held.digest != run.inputs.digest:
                raise FencedError(
                    f"evaluations/{target.name} was taken by another look meanwhile: run the gate "
                    "again"
                )
        if self._find(f"{target.name}/{CHECKSUMS}") is not None:
            return False
        if run.answers is not None:
            self._put(f"{target.name}/{ANSWERS}", run.answers)
        for name, data in files.items():
            self._put(f"{target.name}/{name}", data)
        sums = checksum_file(files)
        self._put_new(f"{target.name}/{CHECKSUMS}", sums)
        return True

    def _looks(self, series: str) -> dict[LookPlace, KeptRun]:
        """Return the runs of a series, in the order of the looks."""
        return {place: self._read(place) for place in self._places(series)}

    def _places(self, prefix: str) -> list[LookPlace]:
        def walk() -> list[str]:
            return [path for path, _ in self._files.walk(f"{prefix}/" if prefix else "")]

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
        listed = parse_checksums(sums)
        for file, data in ((RUN, document), (READINGS, readings)):
            if listed.get(file) != sha256(data).hexdigest():
                raise FatalError(f"evaluations/{name}/{file} is not the file that was written")
        return parse_run(name, document, readings)

    def _find(self, path: str) -> bytes | None:
        return self._retry.call(f"reading evaluations/{path}", lambda: self._files.find(path))

    def _put(self, path: str, data: bytes) -> None:
        """Put a file of a run that is not complete, in place of what is there."""
        while not self._put_new(path, data):
            held = self._find(path)
            if held is not None and self._swap(path, held, data):
                return

    def _swap(self, path: str, old: bytes, new: bytes) -> bool:
        return self._retry.call(
            f"writing evaluations/{path}", lambda: self._files.swap(path, old, new)
        )

    def _put_new(self, path: str, data: bytes) -> bool:
        return self._retry.call(
            f"writing evaluations/{path}", lambda: self._files.put_new(path, data)
        )


def _same_run(looks: Mapping[LookPlace, KeptRun], inputs: RunInputs) -> LookPlace | None:
    """Return the look that a run with these inputs repeats, None if there is none."""
    return next((place for place, run in looks.items() if run.digest == inputs.digest), None)

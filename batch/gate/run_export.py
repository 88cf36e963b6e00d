"""A kept run for other tools: MLflow, Weights & Biases, Langfuse and LangSmith.

Each format is a function from ``run.json`` to one document. Its parts are the arguments of the
tool's own calls. Ids are derived from the run, so that sending it twice changes nothing. What was
not measured has no figure, and its state says so.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import uuid5

from batch.gate.figure_names import PATHS, PLAIN, FigureNames, FigureParts
from batch.release.export.formats import without_null
from batch.release.format.contract import RELEASE_NAMESPACE

RunDocument: TypeAlias = Mapping[str, Any]
"""A kept run as ``run.json`` has it (`batch.gate.gate_run.GateRun.to_json`)."""
ExportedRun: TypeAlias = dict[str, Any]

DECISION: Final[FigureParts] = ("gate", "decision")
_FIGURES: Final = ("estimate", "low", "high", "bar", "rows", "reviews", "mde")
_COUNTED: Final = ("outcomes", "agreement", "baseline_agreement")
_MISSING: Final = ("missing_rows", "missing_reviews")
_CHANGED: Final = ("gained", "lost", "mcnemar_p")
_FACTS: Final = ("claim", "about", "rows", "looks", "planned_looks", "level")


class ExportedResult(NamedTuple):
    """What came of a requirement or a segment, under its name in a tool.

    ``figures`` lacks what was not measured. ``words`` has the state, the rule, and more where there
    is more to say. ``document`` is all of it.
    """

    name: str
    figures: Mapping[str, float]
    words: Mapping[str, str]
    document: dict[str, Any]

    @property
    def state(self) -> str:
        """Return the state."""
        return self.words["state"]

    @property
    def comment(self) -> str:
        """Return a sentence for people: the bounds beside the bar, or why there are none."""
        bar = f"{self.words['rule'].replace('_', ' ')} {abs(self.figures['bar']):.6g}"
        if "estimate" not in self.figures:
            return f"not measured ({bar}): {self.words.get('reason', '')}".rstrip(": ")
        low, high = (
            "no limit" if (bound := self.figures.get(side)) is None else f"{bound:.6g}"
            for side in ("low", "high")
        )
        return f"{self.state}: bounds {low} to {high}, {bar}"


def mlflow_run(run: RunDocument) -> ExportedRun:
    """Return a run of MLflow: parameters, metrics and tags, and the filter that finds it again."""
    facts, names = _facts(run), FigureNames(PATHS)
    tags = {f"goldpan.{key}": str(facts[key]) for key in _RESULTS if key in facts}
    metrics: dict[str, float] = {}
    for result in _results(run, names):
        metrics |= {f"{result.name}/{field}": value for field, value in result.figures.items()}
        tags |= {f"{result.name}/{word}": text for word, text in result.words.items()}
    params = {key: str(value) for key, value in facts.items() if key not in _RESULTS}
    judges = {names.name(("judges", *of)): judge for of, judge in _leaves(run["judges"])}
    return {
        "experiment_name": run["inputs"]["gate"],
        "run_name": run["run"],
        "filter_string": " and ".join(
            f"tags.`goldpan.{key}` = '{facts[key]}'" for key in ("run", "digest")
        ),
        "tags": tags,
        "params": params | judges,
        "metrics": metrics | _counts(run, names),
        "run": run,
    }


def wandb_run(run: RunDocument) -> ExportedRun:
    """Return a run of Weights & Biases: the arguments of ``wandb.init``, and its summary."""
    facts, names = _facts(run), FigureNames(PLAIN)
    summary: dict[str, Any] = {key: facts[key] for key in ("decision", "reason") if key in facts}
    for result in _results(run, names):
        values = {**result.figures, **result.words}
        summary |= {f"{result.name}__{field}": value for field, value in values.items()}
    config = {key: value for key, value in facts.items() if key not in summary}
    judges = _about(run)["judges"]
    config |= {"definition": run["gate"], **({"judges": judges} if judges else {})}
    return {
        "init": {
            "project": run["inputs"]["gate"],
            "id": _id(run),
            "name": run["run"],
            "job_type": "gate",
            "tags": [run["decision"]],
            "config": config,
        },
        "summary": summary | _counts(run, names),
    }


def langfuse_run(run: RunDocument) -> ExportedRun:
    """Return an observation of Langfuse, and its scores: arguments of ``create_score``.

    The state of a requirement is a score of its own, since one that was not measured has a state
    and no number.
    """
    facts, trace_id = _facts(run), _id(run).replace("-", "")
    origin = {key: facts[key] for key in _ORIGIN}

    def score(name: str, data_type: str, value: object, more: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "score_id": _id(run, name),
            "trace_id": trace_id,
            "name": name,
            "data_type": data_type,
            "value": value,
            "metadata": more["metadata"],
            **({"comment": more["comment"]} if more.get("comment") else {}),
        }

    names = FigureNames(PATHS)
    decided = {"metadata": origin | _about(run), "comment": run["reason"]}
    scores = [score(names.name(DECISION), "CATEGORICAL", run["decision"], decided)]
    for result in _results(run, names):
        more = {"metadata": origin | result.document, "comment": result.comment}
        if "estimate" in result.figures:
            scores.append(score(result.name, "NUMERIC", result.figures["estimate"], more))
        scores.append(score(f"{result.name}/state", "CATEGORICAL", result.state, more))
    return {
        "observation": {
            "trace_context": {"trace_id": trace_id},
            "as_type": "evaluator",
            "name": f"goldpan gate {run['inputs']['gate']}",
            "input": {key: value for key, value in facts.items() if key not in _RESULTS},
            "output": {key: facts[key] for key in _RESULTS if key in facts},
            "metadata": _about(run),
        },
        "scores": _once(scores, "score_id"),
    }


def langsmith_run(run: RunDocument) -> ExportedRun:
    """Return a project of LangSmith, and the feedback on it as a whole: figures of an experiment.

    Its score is the estimate, and its value the state. What was not measured is an error there.
    """
    facts = _facts(run)
    origin = {key: facts[key] for key in _ORIGIN}

    def feedback(key: str, value: str, comment: str | None, info: Mapping[str, Any]) -> ExportedRun:
        line = {"feedback_id": _id(run, key), "key": key, "value": value, "source_info": info}
        return line | ({"comment": comment} if comment else {})

    names = FigureNames(PLAIN)
    about = origin | _about(run)
    lines = [feedback(names.name(DECISION), run["decision"], run["reason"], about)]
    for result in _results(run, names):
        line = feedback(result.name, result.state, result.comment, origin | result.document)
        if "estimate" in result.figures:
            line["score"] = result.figures["estimate"]
        else:
            line["error"] = True
        lines.append(line)
    return {
        "create_project": {
            "project_name": f"{run['run'].replace('/', '-')}-{_id(run)[:8]}",
            "description": f"{run['decision']}: {run['inputs']['release']}, look {run['looks']}",
            "metadata": facts | _about(run),
            "upsert": True,
        },
        "create_feedback": _once(lines, "feedback_id"),
    }


RUN_FORMATS: Final[Mapping[str, Callable[[RunDocument], ExportedRun]]] = {
    "mlflow": mlflow_run,
    "wandb": wandb_run,
    "langfuse": langfuse_run,
    "langsmith": langsmith_run,
}
"""The formats by name. Each maps ``run.json`` to a document."""


def export_run(target: str, run: RunDocument) -> bytes:
    """Return a run as JSON for a tool. U+0000 becomes U+FFFD: databases refuse it."""
    document = without_null(RUN_FORMATS[target](run))
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    return f"{text}\n".encode()


_RESULTS: Final = ("run", "digest", "decision", "reason")
"""What identifies a run and what came of it; the other facts are what it was about."""
_ORIGIN: Final = ("run", "digest", "gate", "gate_digest", "release", "release_digest")
"""What each figure of a run says of where it comes from."""


def _facts(run: RunDocument) -> dict[str, Any]:
    """Return what identifies a run, what decided it, and on what; nothing is null."""
    facts = {key: run[key] for key in _RESULTS} | dict(run["inputs"])
    return _set({**facts, **{key: run[key] for key in _FACTS}})


def _about(run: RunDocument) -> dict[str, Any]:
    """Return what else belongs to the decision: judges, outcomes, and how judges agree."""
    judges = {side: names for side, names in run["judges"].items() if names}
    counted = {key: run[key] for key in (*_COUNTED, "small_segments") if key in run}
    return counted | {"judges": judges}


def _results(run: RunDocument, names: FigureNames) -> Iterator[ExportedResult]:
    """Yield what came of the requirements, then of the segments."""
    for found in (*run["requirements"], *run["segments"]):
        parts: FigureParts = (found["name"],)
        words = {"state": found["state"], "rule": found["rule"], "reason": found["reason"]}
        if "segment" in found:
            parts = ("segments", found["segment"], found["value"], found["metric"])
            words |= {"segment": found["segment"], "value": found["value"]}
        name = names.name(parts, (found["metric"], found["rule"]))
        words |= {"metric": found["metric"]} if name != found["metric"] else {}
        yield ExportedResult(name, _figures(found), _set(words), _set(found))


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a result, without what is null; only the bar is known before."""
    if result["state"] == "not_measured":
        return {"bar": result["bar"]}
    changed = result["changed"] or {}
    numbers = {key: result[key] for key in (*_FIGURES, *_MISSING)}
    return _set(numbers | {key: changed.get(key) for key in _CHANGED})


def _counts(run: RunDocument, names: FigureNames) -> dict[str, float]:
    """Return the counts of outcomes, and the agreement of judges, under their names."""
    counted = {key: run[key] for key in _COUNTED if key in run}
    named = {
        f"{names.name(tuple(above))}{names.style.joint}{key}": value
        for (*above, key), value in _leaves(counted)
        if value is not None
    }
    return named | {"small_segments": run["small_segments"]}


def _leaves(tree: Mapping[str, Any], above: FigureParts = ()) -> Iterator[tuple[FigureParts, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _once(lines: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return each id once: a gate may name a segment twice."""
    return list({line[key]: line for line in lines}.values())


def _id(run: RunDocument, *of: str) -> str:
    return str(uuid5(RELEASE_NAMESPACE, "\n".join((run["run"], run["digest"], *of))))

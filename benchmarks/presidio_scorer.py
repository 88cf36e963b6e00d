"""Runs presidio-research's evaluator, in its own environment, for `ner_quality.py`.

    python presidio_scorer.py TASK.json RESULT.json

TASK holds `rows` (text and labelled spans) and `found` (by system, the findings of each row). The
tokens are those of spaCy's blank English pipeline; tags and mapping are the evaluator's own.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from presidio_evaluator import span_to_tag
from presidio_evaluator.entity_mapping.mapper import CanonicalMapper
from presidio_evaluator.evaluation import SpanEvaluator
from presidio_evaluator.evaluation.skipwords import get_skip_words

IOU = 0.9


def frame(rows: list[dict[str, Any]], found: list[list[Any]]) -> pd.DataFrame:
    """Return one line a token, as `BaseModel.predict_dataset` of the evaluator does."""
    nlp = spacy.blank("en")
    lines = []
    for number, (row, findings) in enumerate(zip(rows, found, strict=True)):
        doc = nlp(row["text"])
        gold = [(s["start"], s["end"], s["entity"], 1.0) for s in row["spans"]]
        predicted = [(start, end, kind, score) for kind, start, end, score in findings]
        tags = [
            span_to_tag(
                scheme="IO", text=row["text"], tokens=doc,
                starts=[s[0] for s in spans], ends=[s[1] for s in spans],
                tags=[s[2] for s in spans], scores=[s[3] for s in spans],
            )
            for spans in (gold, predicted)
        ]  # fmt: skip
        for token, annotation, prediction in zip(doc, *tags, strict=True):
            lines.append((number, token.text, annotation, prediction, token.idx))
    columns = ["sentence_id", "token", "annotation", "prediction", "start_indices"]
    return pd.DataFrame(lines, columns=columns)


def figures(data: pd.DataFrame, texts: list[str]) -> dict[str, Any]:
    """Return the overall figures, those of each branch, and the errors."""
    mapper = CanonicalMapper()
    mapper.analyze(data)
    mapped = mapper.get_mapped_results_dataframe()
    result = SpanEvaluator(iou_threshold=IOU, skip_words=get_skip_words()).calculate_score_on_df(
        mapped.branch, beta=2
    )
    types = {
        name: {**_three(m.precision, m.recall, m.f_beta), "n": m.num_annotated}
        for name, m in result.per_type.items()
    }
    return {
        "overall": _three(result.pii_precision, result.pii_recall, result.pii_f),
        "types": types,
        "errors": _errors(mapped.branch, texts),
    }


def _errors(data: pd.DataFrame, texts: list[str]) -> list[str]:
    out = []
    for number, part in data.groupby("sentence_id"):
        if (part["annotation"] == "O").equals(part["prediction"] == "O"):
            continue
        wrong = [
            f"{'-' if p == 'O' else '+' if a == 'O' else '='}{t}"
            for t, a, p in zip(part["token"], part["annotation"], part["prediction"], strict=True)
            if (a == "O") != (p == "O")
        ]
        out.append(f"{number}: {' '.join(wrong)!r}  in {texts[int(number)][:160]!r}")
    return out


def _three(p: float | None, r: float | None, f: float | None) -> dict[str, float]:
    values = (0.0 if x is None or math.isnan(x) else round(float(x), 3) for x in (p, r, f))
    return dict(zip(("p", "r", "f2"), values, strict=True))


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sentences = [row["text"] for row in task["rows"]]
    answer = {
        name: figures(frame(task["rows"], found), sentences)
        for name, found in task["found"].items()
    }
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")

"""What the servers of tools say to their SDKs, as little as these need."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.partners.recorder import accept

_TENANT = str(uuid5(NAMESPACE_URL, "tenant"))


def reply_as_langsmith(path: str, body: Any) -> Any:
    """A project has an id that follows from its name, since it is made or found by that."""
    if path.startswith("/sessions") and body is not None:
        project = str(uuid5(NAMESPACE_URL, body["name"]))
        return body | {"id": project, "tenant_id": _TENANT, "reference_dataset_id": None}
    return accept(path, body)


class LangfuseReplies:
    """It tells of an observation once a span of its trace has come."""

    def __init__(self) -> None:
        self.spans: list[bytes] = []

    def __call__(self, path: str, body: Any) -> Any:
        """Answer a request."""
        if isinstance(body, bytes):
            self.spans.append(body)
        if "/observations" not in path:
            return accept(path, body)
        trace = path.partition("traceId=")[2].partition("&")[0]
        seen = [body for body in self.spans if bytes.fromhex(trace) in body]
        start = "2026-11-30T00:00:00Z"
        made = {"id": "o", "traceId": trace, "startTime": start, "projectId": "p", "type": "SPAN"}
        return {"data": [made for _ in seen], "meta": {}}


def reply_as_wandb(path: str, body: Any) -> Any:
    """It knows no run of before, and takes any."""
    del path
    if not isinstance(body, dict) or "query" not in body:
        return {}
    if "createRunFiles" in body["query"]:
        return {"data": {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []}}}
    if "upsertBucket" not in body["query"]:
        return {"data": {}}
    entity = {"id": "e", "name": "team"}
    project = {"id": "p", "name": body["variables"]["project"], "entity": entity}
    bucket = {
        "id": "b",
        "name": body["variables"]["name"],
        "displayName": body["variables"]["displayName"],
        "config": "{}",
        "project": project,
        "historyLineCount": 0,
    }
    return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}


def wandb_summaries(bodies: list[tuple[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the last summary of each run that was synchronised, by the id of the run."""
    summaries: dict[str, dict[str, Any]] = {}
    for path, body in bodies:
        files = body.get("files") or {} if isinstance(body, dict) else {}
        for content in files.get("wandb-summary.json", {}).get("content", ()):
            summaries[path.split("/")[-2]] = json.loads(content)
    return summaries

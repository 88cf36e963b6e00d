"""Makes one run of a model with LangSmith's SDK; the environment says where it goes."""

import json
from typing import Any

from langsmith import Client, traceable

ANSWER = {"role": "assistant", "content": "It arrives tomorrow."}
client = Client()


@traceable(run_type="llm", name="ChatOpenAI", client=client)  # type: ignore[untyped-decorator]  # the SDK is not installed here
def chat(messages: list[dict[str, str]]) -> dict[str, Any]:
    """Return what a model would answer."""
    assert messages
    return {"choices": [{"message": ANSWER, "finish_reason": "stop"}]}


chat([{"role": "user", "content": "Where is my parcel?"}])
client.flush()
print(json.dumps({"sent": 1}))

"""Makes one span of a model call with MLflow's SDK; the environment says where it goes."""

import json

import mlflow

ANSWER = {"role": "assistant", "content": "It arrives tomorrow."}

with mlflow.start_span("chat", span_type="CHAT_MODEL") as span:
    said = [{"role": "user", "content": "Where is my parcel?"}]
    span.set_inputs({"messages": said, "model": "gpt-4o-mini"})
    span.set_outputs({"choices": [{"message": ANSWER, "finish_reason": "stop"}]})
mlflow.flush_trace_async_logging()
print(json.dumps({"sent": 1}))

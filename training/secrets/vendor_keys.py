"""Translates the rules of gitleaks into `redact/vendor_keys.json`.

    python -m training.secrets.vendor_keys gitleaks.toml --version 8.30.0 --commit b58d3f10...

Only facts are used: a rule's id, expression, words and minimum entropy. The expressions are written
for Go; here they become what Python's `regex` and hyperscan read alike: ASCII classes, flags in
their own groups, no names. The edges are omitted, since the recogniser has its own.
"""

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import regex

OUTPUT = Path(__file__).parents[2] / "redact" / "vendor_keys.json"

_GENERIC = frozenset(
    {
        "generic-api-key",
        "curl-auth-header",
        "curl-auth-user",
        "hashicorp-tf-password",
        "kubernetes-secret-yaml",
        "nuget-config-password",
        "private-key",
    }
)
"""Rules for assignments of any secret; `redact.recognition.secrets` has its own for those."""

_PUBLIC = frozenset({"asana-client-id", "discord-client-id", "pkcs12-file"})
"""Rules for public identifiers or file names."""

_TOO_WIDE = {"sourcegraph-access-part": "|[a-fA-F0-9]{40}"}
"""Alternatives that match any hash: gitleaks requires a word elsewhere in the file first."""

_BEFORE = re.compile(r"(?:\[\\w\.-\]\{0,50\}\?)")
_ASSIGNED = (
    r"""(?:[ \t\w.-]{0,20})[\s'"]{0,3}""",
    r"""(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}""",
)
_END = (
    r"""(?:[\x60'"\s;]|\\[nr]|$)""",
    r"""(?:[\x60'"\s;]|\\[nr]|$|\b)""",
    r"""(?:[^\w-]|\z)""",
    r"""(?:[^a-zA-Z0-9+/]|\z)""",
    r"""(?:$|[\\'"\x60\s<),])""",
    r"""(?:[\/|\#|\?|:]|$)""",
)
_START = (r"\b", r"""(?:^|[\\'"\x60\s>=:(,)])""")
_CLASSES = {r"\w": "A-Za-z0-9_", r"\d": "0-9", r"\s": r" \t\n\r\f\v"}


def translated(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a rule as one or more entries: `value`, and `word` if it needs context.

    Raises:
        ValueError: the expression has an unsupported form.
    """
    expression = rule["regex"].replace(_TOO_WIDE.get(rule["id"], "\0"), "")
    entries: list[dict[str, Any]] = []
    middle = "".join(_ASSIGNED)
    split_middle = f"{_ASSIGNED[0]}){_ASSIGNED[1]}"
    for alternative in _alternatives(expression):
        entry: dict[str, Any] = {"id": rule["id"]}
        if middle in alternative:
            word, _, value = alternative.partition(middle)
            word = _BEFORE.sub("", word.removeprefix("(?i)"))
            entry |= {"word": _python(word), "value": _value(f"(?i){value}")}
        elif split_middle in alternative:
            word, _, value = alternative.partition(split_middle)
            word = _BEFORE.sub("", word).removeprefix("(?i:")
            entry |= {"word": _python(word), "value": _value(value)}
        else:
            entry["value"] = _value(alternative)
        if rule.get("entropy"):
            entry["entropy"] = rule["entropy"]
        regex.compile(entry["value"])
        entries.append(entry)
    return entries


def _alternatives(expression: str) -> list[str]:
    """Split at bars outside of groups."""
    parts, depth, start, index = [], 0, 0, 0
    while index < len(expression):
        end = _token_end(expression, index)
        part = expression[index:end]
        depth += (part == "(") - (part == ")")
        if part == "|" and not depth:
            parts.append(expression[start:index])
            start = end
        index = end
    return [*parts, expression[start:]]


def _value(expression: str) -> str:
    """Return the expression of the value alone, without edges."""
    folded = expression.startswith("(?i)")
    body = expression.removeprefix("(?i)")
    for start in _START:
        body = body.removeprefix(start)
    for end in _END:
        body = body.removesuffix(end)
    body = body.removesuffix(r"\b")
    body = _unwrapped(body)
    return _python(f"(?i){body}" if folded else body)


def _unwrapped(body: str) -> str:
    """Take away a group that holds the whole expression."""
    while body.startswith("(") and not body.startswith("(?") and _closes(body) == len(body) - 1:
        body = body[1:-1].removeprefix(r"\b").removesuffix(r"\b")
    return body


def _closes(body: str) -> int:
    depth, index = 0, 0
    while index < len(body):
        end = _token_end(body, index)
        depth += (body[index] == "(") - (body[index] == ")")
        if not depth:
            return index
        index = end
    raise ValueError("a group is not closed")


def _python(expression: str) -> str:
    """Translate from Go's syntax."""
    pieces: list[str] = []
    waiting = [0]
    whole: set[int] = set()
    index = 0
    while index < len(expression):
        if expression.startswith("(?i)", index):
            is_whole = index == 0 or (pieces[-1] == "(?:" and not waiting[-1])
            pieces.append("(?i:")
            waiting[-1] += 1
            if is_whole:
                whole.add(len(waiting))
            index += 4
            continue
        end = _token_end(expression, index)
        part = expression[index:end]
        if part == "(":
            named = re.match(r"\(\?P<\w+>|\((?!\?)", expression[index:])
            flagged = re.match(r"\(\?-?[ims]?:", expression[index:])
            group = named or flagged
            if group is None:
                raise ValueError(f"unknown group in {expression}")
            end = index + group.end()
            part = "(?:" if named else expression[index:end]
            waiting.append(0)
        elif part == ")":
            whole.discard(len(waiting))
            part += ")" * waiting.pop()
        elif part == "|" and waiting[-1] and len(waiting) not in whole:
            raise ValueError(f"a flag reaches over alternatives in {expression}")
        pieces.append(_ascii(part))
        index = end
    return "".join(pieces) + ")" * waiting.pop()


def _ascii(part: str) -> str:
    """Return a character, escape or class in ASCII terms."""
    if part == r"\x60":
        return "`"
    if part in (r"\/", r"\_", r"\"", r"\#"):
        return part[1]
    if part in _CLASSES:
        return f"[{_CLASSES[part]}]"
    if part.startswith("["):
        part = part.replace("[:alnum:]", "A-Za-z0-9").replace(r"\/", "/").replace(r"\x60", "`")
        part = part.replace(r"\_", "_").replace(r"\.", ".").replace(r"\+", "+")
        for short, long in _CLASSES.items():
            part = part.replace(short, long)
    return part


def _token_end(expression: str, index: int) -> int:
    if expression[index] == "\\":
        return index + (4 if expression[index + 1] == "x" else 2)
    if expression[index] != "[":
        return index + 1
    index += 2
    while expression[index] != "]":
        if expression.startswith("[:", index):
            index = expression.index(":]", index) + 1
        index += 2 if expression[index] == "\\" else 1
    return index + 1


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rules", type=Path, help="gitleaks' config/gitleaks.toml")
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", required=True)
    args = parser.parse_args()
    rules = tomllib.loads(args.rules.read_text(encoding="utf-8"))["rules"]
    left_out = sorted(_GENERIC | _PUBLIC)
    entries = [e for r in rules if r["id"] not in left_out for e in translated(r)]
    head = {
        "source": "https://github.com/gitleaks/gitleaks config/gitleaks.toml",
        "version": args.version,
        "commit": args.commit,
        "licence": "MIT, see vendor_keys.LICENSE",
        "left_out": left_out,
    }
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    text = json.dumps(head, indent=2)[:-2] + f',\n  "rules": [\n{lines}\n  ]\n}}\n'
    OUTPUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

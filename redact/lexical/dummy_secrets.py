"""Checks for placeholders instead of secrets: variable references, masks, ordinary words."""

import json
import re
from importlib import resources

_REFERENCE = re.compile(
    r"""
    [$%@]?\{.*|\$\(.*|\$[A-Za-z_][A-Za-z0-9_]*|\$env:.*|%[A-Za-z_]+%|%\(?\w*\)?[sdr]|@[A-Z_]+@|:[a-z_]+
    |<.*|\[.*|\(.*|!.?(?:vault|secret|ref|env|sub|getatt)\b.*|\#\{.*|`.*|&[a-z].*|\\[nrt]?.{0,2}
    |[a-z]{1,8}[-_]|[\w-]{0,10}?(?:\.{3,}|…|x{3,}|\*{3,})|[*•●·.…_xX?#-]+|\W{1,3}
    |[A-Za-z_][\w.:>-]*[(\[].*
    |(?:self|this|args?|config|cfg|conf|settings|env|process|os|req|request|params?|options?|opts
      |secrets?|vars?|local|data|module|user|form|props|state|input|ctx|context|creds?|credentials
      |values|vault|ssm|arn|op|file|each|item|row|obj|kwargs|app|db|e|event|body|payload|session)
     (?:\.|::|->|:/)[\w.:/>?-]*
    |(?:your|my|the|some|any|insert|enter|put|add|new|a|an|this|that|example|sample|dummy|fake|user)
     (?:[_ -]\w+)*[_ -](?:here|pass\w*|pwd|secret|token|keys?|value|credentials?)(?:[_ -]\w+)*
    |(?:[a-z]{1,12}[_.-]?){0,3}(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|key|credentials?)s?
    |(?:redacted|filtered|removed|masked|scrubbed|placeholder|undefined|null|none|nil|nan|true|false
      |void|todo|tbd|unset|n/a|n%2Fa)
    |(?:https?|s3|gs|op|sm|vault)://.*|(?:arn|ssm|vault|ref):\S*|(?:~|\.{1,2})?/(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:txt|json|ya?ml|pem|key|env)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

_PROSE_WORDS = frozenset(
    json.loads((resources.files("redact") / "prose_words.json").read_text(encoding="utf-8"))
)
"""Words after `password:` or `password is` in sentences, forms and types."""

_TECHNICAL = re.compile(
    r"(?:sha-?[0-9]+|md5|base-?(?:32|64)|oauth-?2?|utf-?8|argon2\w*|pbkdf2|aes-?[0-9]*|rsa-?[0-9]*"
    r"|v?[0-9]{1,3}(?:\.[0-9]+)*(?:[-+][0-9]*)?|(?:version|type|level|step|option|field|part|method|page|line|policy|reset|change)[0-9]+|varchar\S*|char\S*|[0-9]+(?:[a-z]|px|em|%|chars?)?)"
    r"(?:[-_ ][a-z]+)*",
    re.IGNORECASE,
)
_SUFFIXES = ("ed", "ing", "able", "ible", "ly", "less", "ful", "ive", "tion", "ment", "ity")
_TRAILING = ".,;:!?)\"'"


def is_dummy_secret(value: str) -> bool:
    """Return whether a value is a reference, a mask, a type name or a path, not a secret."""
    bare = value.strip(" \t\"'`").rstrip(".,;")
    if bare[:1] == "/" and _is_random(bare):
        return False
    return not bare or _REFERENCE.fullmatch(bare) is not None or bare.lower() in _PROSE_WORDS


def _is_random(path: str) -> bool:
    """Return whether an apparent path is a base64 secret: long segments mix all signs."""
    mixed = (
        len(step)
        for step in path.split("/")
        if len(step) >= _LEAST_STEP
        and any(map(str.isdigit, step))
        and any(map(str.isupper, step))
        and any(map(str.islower, step))
    )
    return sum(mixed) >= _LEAST_MIXED


_LEAST_STEP = 6
_LEAST_MIXED = 12


def reads_like_prose(value: str) -> bool:
    """Return whether a value continues the sentence about a secret instead of being one."""
    words = [word.strip(_TRAILING).lower() for word in value.split()]
    prose_words = sum(word in _PROSE_WORDS for word in words)
    least = 1 if len(words) < 3 else 2
    return prose_words >= least or _TECHNICAL.fullmatch(value) is not None


def is_requirement(value: str) -> bool:
    """Return whether words are a password requirement: `must be at least 12 characters long`."""
    first, _, rest = value.partition(" ")
    return bool(rest) and first.lower().rstrip(":") in _REQUIRES and reads_like_prose(value)


_REQUIRES = frozenset(
    [
        *(
            "must",
            "should",
            "at",
            "minimum",
            "min",
            "maximum",
            "max",
            "cannot",
            "can",
            "may",
            "needs",
        ),
        *("required", "has", "is", "mindestens", "muss", "darf", "au", "doit", "ne", "mínimo"),
        *(
            "debe",
            "deve",
            "almeno",
            "minimo",
            "minimaal",
            "moet",
            "minstens",
            "co",
            "musi",
            "minst",
        ),
    ]
)


def is_sentence_word(word: str) -> bool:
    """Return whether a word after `is` likely belongs to the sentence, such as a participle."""
    plain = word.strip(_TRAILING).lower()
    return (
        plain in _PROSE_WORDS
        or plain.endswith(_SUFFIXES)
        or _TECHNICAL.fullmatch(plain) is not None
    )

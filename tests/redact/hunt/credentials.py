"""Secrets: announced passwords, keys in vendors' formats, headers, strings.

Prefixes of keys are split in two here, so that secret scanners accept this file.
"""
# ruff: noqa: RUF001  # words of many scripts

import base64
from random import Random

from tests.redact.hunt.people import handle
from tests.redact.hunt.value import Value, digits, letters

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HEX = "0123456789abcdef"
_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_WORDS = [
    "marigold",
    "dragonfly",
    "tangerine",
    "waterfall",
    "cinnamon",
    "hedgehog",
    "bluebell",
    "snowdrop",
]

PASSWORD_LEADS = {
    "en": ("password: ", "Password: ", "my password is ", "the password is ", "passwd=", "pwd: "),
    "de": ("Passwort: ", "Kennwort: ", "Mein Passwort ist "),
    "fr": ("mot de passe : ", "mon mot de passe est "),
    "es": ("contraseña: ", "mi contraseña es "),
    "pt": ("senha: ", "minha senha é "),
    "it": ("la mia password è ", "parola d'ordine: "),
    "nl": ("wachtwoord: ", "mijn wachtwoord is "),
    "pl": ("hasło: ", "moje hasło to "),
    "ru": ("пароль: ", "мой пароль "),
    "ja": ("パスワード：", "パスワードは"),
    "zh": ("密码是", "密码："),
    "ko": ("비밀번호: ",),
}  # fmt: skip
PASSWORD_KEYS = (
    "password", "db password", "database password", "old password", "admin password", "passwd",
    "user pwd", "smtp password", "webhook secret key", "client secret", "passwort", "contraseña",
    "mot de passe", "senha", "wachtwoord",
)  # fmt: skip
TOKEN_KEYS = (
    "api key", "access token", "auth token", "npm auth token", "secret key", "openai api key",
    "refresh token", "aws secret access key", "session token", "private token",
)  # fmt: skip


def _password(rng: Random) -> str:
    word = rng.choice(_WORDS)
    return rng.choice(
        [
            f"{word}{digits(rng, 2)}",
            f"{word.title()}{digits(rng, 2)}!",
            f"{word[:5]}-{digits(rng, 4)}",
            f"{letters(rng, 3, _ALNUM)}#{digits(rng, 3)}{word[:4]}",
        ]
    )


def password_said(rng: Random) -> Value:
    """Return a password after its word, in one of twelve languages."""
    text = _password(rng)
    leads = (rng.choice(PASSWORD_LEADS[rng.choice(list(PASSWORD_LEADS))]),)
    return Value("password", text, (text,), (), leads, PASSWORD_KEYS, ends_open=True)


def password_word(rng: Random) -> Value:
    """Return a password that is a word, under its key."""
    text = rng.choice(_WORDS)
    return Value("password that is a word", text, (), (text,), keys=PASSWORD_KEYS)


def token_under_key(rng: Random) -> Value:
    """Return random characters without a known format, under a key or after a word for a secret."""
    text = rng.choice(
        [letters(rng, 32, _HEX), letters(rng, 30, _ALNUM), letters(rng, 40, _ALNUM + "/+")]
    )
    leads = (
        "API key: ",
        "access token: ",
        "api_key=",
        "my API key is ",
        "deploy --api-key ",
        "--token ",
    )
    return Value("token announced", text, (text[4:-4],), (), leads, TOKEN_KEYS, ends_open=True)


def secret_in_header(rng: Random) -> Value:
    """Return a secret that a header, an option or a URL announces."""
    user, word = handle(rng)[0], _password(rng).replace("#", "x")
    token = letters(rng, 40, _HEX)
    basic = base64.b64encode(f"{user}:{word}".encode()).decode()
    lead, text, gone = rng.choice(
        [
            ("Authorization: Basic ", basic, basic),
            ("Authorization: Bearer ", token, token),
            ("Authorization: Token ", token, token),
            ("Proxy-Authorization: Basic ", basic, basic),
            ("X-Api-Key: ", token, token),
            ("Set-Cookie: session=", f"{token}; HttpOnly; Path=/", token),
            ("Cookie: sessionid=", token, token),
            ("curl -u ", f"{user}:{word} https://api.example.org/v1", word),
            ("curl --user ", f"{user}:{word} https://api.example.org/v1", word),
            ("postgres://", f"{user}:{word}@db.example.com:5432/app", word),
            ("mongodb+srv://", f"{user}:{word}@cluster.example.net/test", word),
            ("https://api.example.org/v1/items?api_key=", f"{token}&page=2", token),
            ("https://app.example.org/login?password=", f"{word}&next=home", word),
            ("Data Source=db1;User Id=app;Password=", f"{word};Encrypt=true", word),
            ("mysql --host db1 --password=", word, word),
            ("AccountName=shop;AccountKey=", f"{letters(rng, 86, _ALNUM)}==", "=="),
        ]
    )
    gone = text[10:60] if gone == "==" else gone
    return Value("secret in a header or URL", text, (gone,), (), (lead,), ends_open=True)


_HEADS = {
    "GitHub": ("gh", "p_", 36, _ALNUM), "GitHub app": ("gh", "s_", 36, _ALNUM),
    "GitHub fine": ("github", "_pat_", 82, _ALNUM), "GitLab": ("gl", "pat-", 20, _ALNUM),
    "Anthropic": ("sk-", "ant-api03-", 93, _ALNUM), "OpenAI project": ("sk-", "proj-", 48, _ALNUM),
    "OpenRouter": ("sk-", "or-v1-", 64, _HEX), "Groq": ("gs", "k_", 52, _ALNUM),
    "Hugging Face": ("h", "f_", 34, _ALNUM), "Replicate": ("r", "8_", 37, _ALNUM),
    "Perplexity": ("pp", "lx-", 48, _ALNUM), "AWS": ("AK", "IA", 16, _BASE32),
    "Google": ("AI", "za", 35, _ALNUM), "Stripe": ("sk_", "live_", 24, _ALNUM),
    "Stripe restricted": ("rk_", "live_", 24, _ALNUM), "npm": ("np", "m_", 36, _LOWER),
    "DigitalOcean": ("do", "p_v1_", 64, _HEX), "Databricks": ("da", "pi", 32, _HEX),
    "Shopify": ("sh", "pat_", 32, _HEX), "Linear": ("lin_", "api_", 40, _ALNUM),
    "New Relic": ("NR", "AK-", 27, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    "Grafana": ("gl", "sa_", 41, None),
    "Vault": ("hv", "s.", 95, _ALNUM), "PyPI": ("py", "pi-AgEIcHlwaS5vcmc", 60, _ALNUM),
    "Twilio": ("S", "K", 32, _HEX), "Brevo": ("xkey", "sib-", 64, _HEX),
    "Fireworks": ("f", "w_", 24, _ALNUM),
    "Postman": ("PM", "AK-", 59, None), "Doppler": ("dp.", "pt.", 43, _ALNUM),
    "Figma": ("fi", "gd_", 40, _ALNUM),
}  # fmt: skip


def vendor_key(rng: Random) -> Value:
    """Return a key in its vendor's format; it needs no word."""
    kind = rng.choice([*_HEADS, "Slack", "SendGrid", "JWT", "private key"])
    if kind == "Slack":
        tail = f"{digits(rng, 12)}-{digits(rng, 13)}-{letters(rng, 24, _ALNUM)}"
        text = "xox" + "b-" + tail
    elif kind == "SendGrid":
        tail = letters(rng, 43, _ALNUM)
        text = "S" + f"G.{letters(rng, 22, _ALNUM)}.{tail}"
    elif kind == "JWT":
        tail = letters(rng, 43, _ALNUM)
        body = (
            base64.urlsafe_b64encode(f'{{"sub": "{digits(rng, 9)}"}}'.encode()).decode().rstrip("=")
        )
        text = "ey" + f"JhbGciOiJIUzI1NiJ9.{body}.{tail}"
    elif kind == "private key":
        tail = letters(rng, 64, _ALNUM)
        mark = "PRIVATE" + " KEY-----"
        text = f"-----BEGIN {mark}\n{tail}\n{letters(rng, 40, _ALNUM)}\n-----END {mark}"
    else:
        head, more, length, alphabet = _HEADS[kind]
        tail = letters(rng, length, alphabet or _ALNUM)
        if kind == "Grafana":
            tail = f"{letters(rng, 32, _ALNUM)}_{letters(rng, 8, _HEX)}"
        elif kind == "Postman":
            tail = f"{letters(rng, 24, _HEX)}-{letters(rng, 34, _HEX)}"
        text = head + more + tail
    leads = ("", "I pasted ", "key ")
    return Value(f"key of {kind}", text, (tail[-20:],), (), leads, TOKEN_KEYS, alone=True)

"""Announced secrets are found, and talk about secrets stays."""

import itertools
import random
from functools import lru_cache

import pytest

from redact.lexical.dummy_secrets import is_dummy_secret
from redact.policies.policy import load_policy
from redact.recognition.policy_detector import PolicyDetector

MIXED = ("hunter2!x", "Tr0ub4dor&3", "solnce-2211", "p4ss_word9", "Xk29#abc", "9f8E7d6c5B")
WORDS = ("sunflower", "Himmelblau", "girasol", "slonecznik", "zonnebloem")
KEYS = ("9f8e7d6c5b4a3f2e", "abcDEF123ghiJKL456", "Zm9vYmFyYmF6OTk5eHl6")

SETTINGS = (
    "export DB_PASSWORD={}",
    "PGPASSWORD={}",
    "spring.datasource.password={}",
    "SMTP_PASS={}",
    "stringData:\n  username: ops\n  password: {}\n",
    "userPassword: {}",
    'password = "{}"',
    "'db_password': '{}',",
    '{{\\"password\\": \\"{}\\"}}',
    "Server=db1;User Id=sa;Password={};Encrypt=true",
    "https://example.org/login?user=bob&password={}&next=1",
    "postgres://app:{}@db.example.org:5432/shop",
    "deploy --password {} --region eu",
    "mysql -u root -p{} shop",
    "sshpass -p {} ssh ops@host",
    "curl -u ops:{} https://api.example.org",
    "<db:password>{}</db:password>",
    '<add key="DbPassword" value="{}"/>',
    "machine ftp.example.org login ops password {}",
    "CREATE USER app IDENTIFIED BY '{}';",
    "Passwort: {}",
    "Kennwort f\u00fcr das WLAN: {}",
    "mot de passe : {}",
    "contrase\u00f1a: {}",
    "senha: {}",
    "wachtwoord: {}",
    "has\u0142o: {}",
    "\u043f\u0430\u0440\u043e\u043b\u044c: {}",
    "\u30d1\u30b9\u30ef\u30fc\u30c9\uff1a{}",
    "\u5bc6\u7801: {}",
)
SAID = (
    "my password is {}",
    "The password for the VPN is {}.",
    'the wifi password is "{}", ok?',
    "Your new password is {}",
    "Das Passwort lautet {}",
    "Mi contrase\u00f1a es {}",
    "\u5bc6\u7801\u662f{}",
    "\u30d1\u30b9\u30ef\u30fc\u30c9\u306f{}\u3067\u3059",
)
TOKENS = (
    "NPM_AUTH_TOKEN={}",
    "client_secret: {}",
    'apiKey: "{}"',
    "X-Api-Key: {}",
    "Authorization: Bearer {}",
    "proxy-authorization: Basic {}",
    "Authorization: Token {}",
    "Cookie: theme=dark; sessionid={}; lang=en",
    "Set-Cookie: sid={}; Path=/; HttpOnly",
    "https://example.org/items?api_key={}&page=2",
    "cli --api-key {} --region eu",
    "the access token is {}",
    "APP_KEY={}",
    "<apiKey>{}</apiKey>",
)
AROUND = ("{}", "see below\n{}\nthanks", "step 1. {}", "\u6ce8\u610f\uff1a {}", "| {}")

CODES = (
    ("My PIN is 4821", "4821"),
    ("The OTP is 482913", "482913"),
    ("Your verification code is 482 913.", "482 913"),
    ("482913 is your verification code", "482913"),
    ("2FA code: 482913", "482913"),
    ("CVV: 417", "417"),
    ("recovery codes: a1b2-c3d4 e5f6-g7h8", "e5f6-g7h8"),
    ("Recovery codes:\na1b2c3d4\ne5f6g7h8\n", "e5f6g7h8"),
    (
        "my seed phrase is apple river stone cloud tiger lemon brick ocean candle forest mirror piano",  # noqa: E501
        "forest mirror piano",
    ),
    ("passphrase: correct horse battery staple", "correct horse battery staple"),
)

HARMLESS = (
    "password must be at least 12 characters",
    "Password: must contain 8-16 characters",
    "forgot your password?",
    "The password reset link works for one hour",
    "password_min_length=12",
    "PASSWORD=${DB_PASSWORD}",
    'password = os.environ["DB_PASSWORD"]',
    "password: process.env.DB_PASSWORD,",
    "password: {{ secrets.DB_PASSWORD }}",
    "password = getpass()",
    'password = getpass.getpass("Password: ")',
    "Password: <password>",
    "password: ****",
    "password=xxxxxx",
    '"password": {"type": "string", "minLength": 8}',
    "password: string;",
    "password: str",
    "password: Optional[str] = None",
    "password=None",
    "password=password",
    "password=self.password",
    "db = connect(user=user, password=cfg.password)",
    "My password is not working",
    "The password is incorrect",
    "your password is too short",
    "the password is required.",
    "Your password was changed on 14 March",
    "The token is expired",
    "The secret of good bread is time",
    "PASSWORD_MIN_LENGTH=12",
    "TOKEN_TTL_SECONDS=3600",
    "MAX_TOKENS=512",
    "API_KEY=${API_KEY} TOKEN=$(cat token.txt)",
    "--password TEXT  The password of the account",
    "Use --password to set the password",
    "Pass --token-file PATH or --password-stdin",
    "password: required",
    "password: boolean (default false)",
    "Password: minimum twelve characters, one digit",
    "Enter password:",
    "Passwort: Bitte eingeben",
    "Passwort vergessen? Bitte den Link nutzen.",
    "the passenger: John, passport: yes",
    "compass: north 45",
    "error code: 404",
    "status code is 40412",
    "zip code is 94107",
    "The PIN code area 560001",
    "GPIO pin 13, pin: 12",
    "authentication is OAuth2, password is SHA256-hashed",
    "password hashing uses sha256 and pbkdf2",
    'if password == "":',
    'print("password: " + password)',
    'f"password: {password}"',
    '"password: %s" % pw',
    'input("Password: ")',
    'logger.info("token: %s", token)',
    "tokens: 1234567, prompt_tokens=512, total_tokens: 900123",
    "next_token: null",
    "the key is patience",
    "primary_key: order_id_2024",
    "secret: my-app-tls-secret-v2",
    "secretName: my-app-tls",
    "key: value-1",
    "sort_key=created_at",
    "Basic information about Bearer tokens and Basic Authentication",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "Authorization: required",
    "Cookie: theme=dark; lang=en",
    "https://user:${PASS}@example.org",
    "http://localhost:8080/path@x",
    "redis://cache:6379/0",
    "your password is case-sensitive",
    "A password is generated automatically and emailed.",
    "The password is what protects you",
    "This password is yours",
    "token_type: bearer",
    '"auth": "none", "credentials": "include"',
    "credentials: true",
    "password_hint: city",
    "The password field is empty",
    "mysql -u root -p shop",
    "psql -p 5432 -U app",
    "ssh -p 2222 host",
    "docker run -p 8080:80 nginx",
    "password: [REDACTED]",
    "Kennwort ist falsch",
    "La contrase\u00f1a es incorrecta",
    "contrase\u00f1a: obligatoria",
    "mot de passe oubli\u00e9 : cliquez ici",
    "\u043f\u0430\u0440\u043e\u043b\u044c: \u043e\u0431\u044f\u0437\u0430\u0442\u0435\u043b\u044c\u043d\u043e\u0435 \u043f\u043e\u043b\u0435",  # noqa: E501
    "\u5bc6\u7801\u662f\u4ec0\u4e48\uff1f",
    "\u5bc6\u7801\u5fc5\u987b\u81f3\u5c118\u4e2a\u5b57\u7b26",
    "\u30d1\u30b9\u30ef\u30fc\u30c9\u306f8\u6587\u5b57\u4ee5\u4e0a\u3067\u3059",
    "Kein Passwort n\u00f6tig: einfach klicken",
    "password expires in 90 days",
    "password: 90 days",
    "user: admin, role: reader2024",
    "The security code checks 200 files",
    "verification code has 6 digits",
    "verification code expires in 3000 seconds",
    "order code: 482913, promo code SUMMER2024",
    "unlock 2024 goals",
    "Access code 2020 conference",
    "PIN is a four digit number",
    "seed phrase: keep it safe and never share it with anyone else because it is the only way",
    "recovery codes: see settings page 12 for details",
    "const token = await getToken();",
    'token = response.json()["access_token"]',
    'password: "Password"',
    'label: "Password", placeholder: "Enter your password"',
    "api_key: YOUR_API_KEY",
    'api_key="your-api-key-here"',
    "OPENAI_API_KEY=sk-...",
    "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
    "Secret management is hard; the access token is short-lived.",
    "password manager 1Password8 supports passkeys",
    "the user has password version2",
    "reset-password: /api/v2/reset",
    "password123456 is a bad idea",
)


@lru_cache
def detector() -> PolicyDetector:
    """Return everything that the policy `strict` looks for as a secret."""
    return PolicyDetector(load_policy("strict"), types={"SECRET"})


def replaced(text: str) -> str:
    """Return a text without what was found."""
    kept = list(text)
    for finding in detector().find(text):
        kept[finding.start : finding.end] = "\0" * (finding.end - finding.start)
    return "".join(kept)


@pytest.mark.parametrize(
    ("forms", "secrets"),
    [(SETTINGS, MIXED + WORDS), (SAID, MIXED), (TOKENS, KEYS)],
    ids=["settings", "sentences", "tokens"],
)
def test_every_announcement_of_every_secret(
    forms: tuple[str, ...], secrets: tuple[str, ...]
) -> None:
    """Each form with each value, in surroundings drawn by a seed: nothing of the value is left."""
    rng = random.Random(12)  # noqa: S311  # not for secrets
    left = []
    for form, secret in itertools.product(forms, secrets):
        text = rng.choice(AROUND).format(form.format(secret))
        if secret in replaced(text) or secret[:5] in replaced(text):
            left.append(text)
    assert left == []


def test_the_text_around_a_secret_stays() -> None:
    """Only the value is replaced: the key, the user, the host and what follows are kept."""
    assert replaced("postgres://app:hunter2x@db.example.org/x").count("\0") == len("hunter2x")
    assert "Encrypt=true" in replaced("Server=a;Password=sunflower;Encrypt=true")
    assert "&next=1" in replaced("https://example.org/?password=sunflower&next=1")
    assert "--region eu" in replaced("deploy --password sunflower --region eu")
    assert "theme=dark" in replaced("Cookie: theme=dark; sid=abc123def456; lang=en")


@pytest.mark.parametrize(("text", "secret"), CODES)
def test_codes_and_phrases(text: str, secret: str) -> None:
    """PINs, one-time codes, recovery codes and phrases are replaced after their announcement."""
    assert secret not in replaced(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_talk_about_secrets_stays(text: str) -> None:
    """Prose, settings, types, masks and references to variables are not touched."""
    assert replaced(text) == text


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("/21g7IatNY1R/yYaGRcid/3M2fLmbRIZ/KLt/ph9", True),
        ("/aB3dE6gH9jK2/mN5pQ8", True),
        ("/etc/ssl/private/shop.pem", False),
        ("/srv/build/Keys2024/Shop.key", False),
        ("/run/secrets/DbPass1", False),
    ],
)
def test_a_secret_in_base64_may_look_like_a_path(value: str, secret: bool) -> None:
    """It begins with a slash and has more; the path of a file with a secret stays."""
    assert is_dummy_secret(value) is not secret

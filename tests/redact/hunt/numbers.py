"""Numbers of banks: cards, accounts, wallets."""

from random import Random

from tests.redact.hunt.value import Value, digits, grouped, letters, luhn


def card(rng: Random) -> Value:
    """Return a card number of a usual brand that passes Luhn's check."""
    first, length = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("6011", 16), ("37", 15)]
    )
    text = luhn(first + digits(rng, length - len(first) - 1, "0123456789"))
    sizes = (4, 6) if length == 15 else (4, 4, 4)
    marks = {
        "spaces": " ", "dashes": "-", "points": ".", "two spaces": "  ", "spaced dashes": " - ",
        "slashes": "/", "no-break spaces": "\u00a0", "lines": "\n",
        "thin spaces": "\u2009", "non-breaking hyphens": "\u2011",
    }  # fmt: skip
    forms = {f"grouped by {name}": grouped(text, sizes, mark) for name, mark in marks.items()}
    keys = (
        "card number",
        "credit card number",
        "cc number",
        "payment card",
        "customer card number",
        "kreditkarte",
    )
    leads = ("", "my card is ", "card number: ", "Karte ")
    gone = tuple(text[i : i + 8] for i in range(0, length - 7, 4))
    return Value("card", text, (text, *gone), (), leads, keys, alone=True, forms=forms, number=True)


def security_code(rng: Random) -> Value:
    """Return a card's security code under its key."""
    text = digits(rng, 3)
    return Value("security code", text, (), (text,), keys=("cvv", "cvc", "card security code"))


_IBANS = {
    "DE": "dddddddddddddddddd",
    "NL": "ABNAdddddddddd",
    "GB": "WESTdddddddddddddd",
    "FR": "ddddddddddddddddddddddd",
    "ES": "dddddddddddddddddddd",
    "PL": "dddddddddddddddddddddddd",
    "BE": "dddddddddddd",
    "CH": "ddddddddddddddddd",
}


def iban(rng: Random) -> Value:
    """Return an account number with the check digits of ISO 13616."""
    country = rng.choice(list(_IBANS))
    body = "".join(rng.choice("0123456789") if c == "d" else c for c in _IBANS[country])
    as_number = "".join(str(int(c, 36)) for c in f"{body}{country}00")
    text = f"{country}{98 - int(as_number) % 97:02}{body}"
    fours = (4,) * (len(text) // 4)
    forms = {
        "grouped by spaces": grouped(text, fours, " "),
        "grouped by dashes": grouped(text, fours, "-"),
        "grouped by no-break spaces": grouped(text, fours, "\u00a0"),
        "small letters": text.lower(),
    }
    keys = ("iban", "account iban", "bank iban")
    return Value(
        "IBAN",
        text,
        (text, text[4:-4]),
        (),
        ("", "IBAN: ", "my account is "),
        keys,
        alone=True,
        forms=forms,
    )


def wallet(rng: Random) -> Value:
    """Return a wallet's address: Ethereum by shape, Bitcoin after its word (no check digits)."""
    text = "0x" + letters(rng, 40, "0123456789abcdef")
    return Value(
        "wallet",
        text,
        (text[2:],),
        (),
        ("", "pay to ", "wallet "),
        ("wallet address", "ethereum address"),
        alone=True,
    )


def bank_account(rng: Random) -> Value:
    """Return an American account number after its word."""
    text = digits(rng, rng.choice([9, 10, 12]))
    leads = (
        "checking account ",
        "bank account number ",
        "my account number is ",
        "savings account no. ",
    )
    keys = ("account number", "bank account number", "customer account number")
    return Value("bank account", text, (text,), (), leads, keys, number=True)

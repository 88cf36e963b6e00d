"""Ids that states give: of the United States, and of the policy's other countries."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.redact.hunt.value import Value, digits, grouped, letters, luhn

_UPPER = "ABCDEFGHJKLMNPRSTUVWXYZ"


def ssn(rng: Random) -> Value:
    """Return a social security number with its dashes; it needs no word."""
    text = _ssn(rng)
    keys = ("ssn", "customer ssn", "social security number", "spouse ssn")
    leads = ("", "my SSN is ", "SSN: ")
    gone = (text.replace("-", ""),)
    return Value("SSN", text, gone, (), leads, keys, alone=True)


def ssn_announced(rng: Random) -> Value:
    """Return a social security number in other spellings, after its word or under its key."""
    text = _ssn(rng).replace("-", "")
    forms = {"spaces": grouped(text, (3, 2), " "), "points": grouped(text, (3, 2), ".")}
    leads = ("Social Security Number ", "SSN: ", "my social is ", "SSN ", "social security no. ")
    keys = ("ssn", "customer ssn", "social security number", "applicant ssn")
    return Value("SSN, announced", text, (text,), (), leads, keys, forms=forms, number=True)


def _ssn(rng: Random) -> str:
    area = rng.choice(["743", "612", "541", "318", "228"])
    return f"{area}-{rng.randrange(11, 98)}-{rng.randrange(1001, 9899)}"


def itin(rng: Random) -> Value:
    """Return an American taxpayer number after its word."""
    text = f"9{digits(rng, 2)}-7{rng.randrange(0, 9)}-{digits(rng, 4)}"
    plain = text.replace("-", "")
    leads = ("ITIN: ", "my ITIN is ", "taxpayer number ")
    return Value("ITIN", text, (plain,), (), leads, ("itin", "tax id"), forms={"plain": plain})


def passport(rng: Random) -> Value:
    """Return a passport number after its word."""
    text = rng.choice(
        [
            digits(rng, 9),
            f"{rng.choice(_UPPER)}{digits(rng, 8)}",
            f"{rng.choice(_UPPER)}{digits(rng, 7)}",
        ]
    )
    leads = (
        "Passport No: ", "passport number ", "my passport is ", "US passport ", "Reisepass ",
        "numéro de passeport : ", "pasaporte ", "passaporto ", "Paspoort: ", "paszport ",
    )  # fmt: skip
    keys = ("passport", "passport number", "passport no", "customer passport number", "reisepass")
    return Value("passport", text, (text,), (), leads, keys)


def driving_licence(rng: Random) -> Value:
    """Return a driving licence's number after its word."""
    d = digits(rng, 12)
    text = rng.choice(
        [
            f"{rng.choice(_UPPER)}{d[:7]}",
            f"{rng.choice(_UPPER)}{d[:3]}-{d[3:7]}-{d[7:11]}-0",
            f"SOLHE{d[:6]}I99KA",
        ]
    )
    leads = (
        "driver license ",
        "driver's license number ",
        "driving licence ",
        "Driver License: ",
        "Führerschein ",
        "permis de conduire ",
    )
    keys = ("driver license", "drivers license", "driver license number", "driving licence number")
    compact = text.replace("-", "")
    return Value("driving licence", text, (compact,), (), leads, keys)


def _weights(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(c) * w for c, w in zip(number, weights, strict=False))


def _nhs(rng: Random) -> str:
    while True:
        first = digits(rng, 9)
        check = 11 - _weights(first, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if check != 10:
            return grouped(f"{first}{check % 11}", (3, 3), " ")


def _steuer_id(rng: Random) -> str:
    chosen = rng.sample("123456789", 9)
    body = [*chosen[:9], chosen[0]]
    rest = body[1:]
    rng.shuffle(rest)
    body = [body[0], *rest]
    product = 10
    for c in body:
        total = (int(c) + product) % 10 or 10
        product = total * 2 % 11
    return "".join(body) + str((11 - product) % 10)


def _dni(rng: Random) -> str:
    number = digits(rng, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def _nie(rng: Random) -> str:
    first, number = rng.choice("XYZ"), digits(rng, 7)
    return first + number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(first)) + number) % 23]


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)


def _codice_fiscale(rng: Random) -> str:
    name, born = letters(rng, 6, "BCDFGLMNPRSTV"), rng.randrange(45, 99)
    day = f"{rng.choice('ABCDEHLMPRST')}{rng.randrange(10, 29)}"
    body = f"{name}{born}{day}{rng.choice('AFHL')}{rng.randrange(101, 999)}"
    total = sum(
        _ODD[c] if i % 2 == 0 else (int(c) if c.isdigit() else ord(c) - 65)
        for i, c in enumerate(body)
    )
    return body + chr(65 + total % 26)


def _verhoeff(number: str) -> str:
    multiply = [
        "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
        "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
    ]  # fmt: skip
    permute = [
        "0123456789",
        "1576283094",
        "5803796142",
        "8916043527",
        "9453126870",
        "4286573901",
        "2793806415",
        "7046913258",
    ]
    check = 0
    for i, c in enumerate(reversed(number)):
        check = int(multiply[check][int(permute[(i + 1) % 8][int(c)])])
    return number + "0432156789"[check]


def _pesel(rng: Random) -> str:
    body = (
        f"{rng.randrange(45, 99)}{rng.randrange(1, 13):02}{rng.randrange(10, 29)}{digits(rng, 4)}"
    )
    return body + str(-_weights(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def _hetu(rng: Random) -> str:
    born = f"{rng.randrange(10, 29)}{rng.randrange(1, 13):02}{rng.randrange(45, 99)}"
    serial = f"{rng.randrange(2, 899):03}"
    return f"{born}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(born + serial) % 31]}"


def _personnummer(rng: Random) -> str:
    body = (
        f"{rng.randrange(45, 99)}{rng.randrange(1, 13):02}{rng.randrange(10, 29)}{digits(rng, 3)}"
    )
    number = luhn(body)
    return f"{number[:6]}-{number[6:]}"


def _nric(rng: Random) -> str:
    number = digits(rng, 7)
    return f"S{number}{'JZIHGFEDCBA'[_weights(number, (2, 7, 6, 5, 4, 3, 2)) % 11]}"


def _tfn(rng: Random) -> str:
    while True:
        number = digits(rng, 9)
        if _weights(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0:
            return grouped(number, (3, 3), " ")


def _medicare(rng: Random) -> str:
    first = digits(rng, 8, "23456")
    return f"{first}{_weights(first, (1, 3, 7, 9, 1, 3, 7, 9)) % 10}1"


def _nino(rng: Random) -> str:
    return f"{letters(rng, 2, 'ABCEGHJ')}{digits(rng, 6)}{rng.choice('ABCD')}"


def _pan(rng: Random) -> str:
    return f"{letters(rng, 3, _UPPER)}P{rng.choice(_UPPER)}{digits(rng, 4)}{rng.choice(_UPPER)}"


def _aadhaar(rng: Random) -> str:
    return grouped(_verhoeff(digits(rng, 11, "3456789")), (4, 4), " ")


def _sin(rng: Random) -> str:
    return grouped(luhn(digits(rng, 8, "1234567")), (3, 3), " ")


class _Id(NamedTuple):
    """How an id is made, the beginnings that announce it, and the keys that name it."""

    make: Callable[[Random], str]
    leads: tuple[str, ...]
    keys: tuple[str, ...]


_NATIONAL = {
    "UK NHS": _Id(_nhs, ("NHS number ", "NHS no: "), ("nhs number",)),
    "UK NINO": _Id(
        _nino, ("National Insurance number ", "NI number: "), ("national insurance number",)
    ),
    "DE Steuer-ID": _Id(
        _steuer_id,
        ("Steuer-ID ", "Steueridentifikationsnummer: ", "Meine Steuer-ID ist "),
        ("steuer id", "tax id"),
    ),
    "ES DNI": _Id(_dni, ("DNI ", "mi DNI es ", "NIF: "), ("dni", "nif", "national id")),
    "ES NIE": _Id(_nie, ("NIE ", "mi NIE es "), ("nie", "national id")),
    "IT codice fiscale": _Id(
        _codice_fiscale, ("codice fiscale ", "Codice fiscale: "), ("codice fiscale", "tax id")
    ),
    "IN PAN": _Id(_pan, ("PAN ", "PAN card: ", "my PAN number is "), ("pan number", "tax id")),
    "IN Aadhaar": _Id(_aadhaar, ("Aadhaar ", "Aadhaar number: "), ("aadhaar", "aadhaar number")),
    "PL PESEL": _Id(_pesel, ("PESEL ", "mój PESEL to "), ("pesel", "national id")),
    "FI henkilötunnus": _Id(_hetu, ("henkilötunnus ", "hetu: "), ("henkilotunnus", "national id")),
    "SE personnummer": _Id(
        _personnummer, ("personnummer ", "mitt personnummer är "), ("personnummer", "national id")
    ),
    "SG NRIC": _Id(_nric, ("NRIC ", "my NRIC is ", "FIN: "), ("nric", "national id")),
    "AU TFN": _Id(_tfn, ("tax file number ", "TFN: "), ("tax file number", "tfn")),
    "AU Medicare": _Id(_medicare, ("Medicare number ", "medicare card "), ("medicare number",)),
    "CA SIN": _Id(_sin, ("SIN ", "social insurance number "), ("social insurance number", "sin")),
}


def national_id(rng: Random) -> Value:
    """Return an id of one of the policy's countries, with its check digit, after its word."""
    kind = rng.choice(list(_NATIONAL))
    make, leads, keys = _NATIONAL[kind]
    text = make(rng)
    compact = "".join(c for c in text if c.isalnum())
    forms = {"without marks": compact} if compact != text else {}
    return Value(kind, text, (compact,), (), leads, keys, forms=forms)

"""Numbers of banks and states: cards, accounts, wallets, and the ids of the policy's countries."""

from random import Random

from tests.redact.hunt.value import Value, digits, grouped, letters, luhn

_UPPER = "ABCDEFGHJKLMNPRSTUVWXYZ"


def card(rng: Random) -> Value:
    """Return a card number of a usual brand that passes Luhn's check."""
    first, length = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("6011", 16), ("37", 15)]
    )
    text = luhn(first + digits(rng, length - len(first) - 1, "0123456789"))
    sizes = (4, 6) if length == 15 else (4, 4, 4)
    marks = {
        "spaces": " ", "dashes": "-", "points": ".", "two spaces": "  ", "spaced dashes": " - ",
        "slashes": "/", "no-break spaces": "\u00a0", "lines": "\n", "underscores": "_",
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
    body = f"{letters(rng, 6, 'BCDFGLMNPRSTV')}{rng.randrange(45, 99)}{rng.choice('ABCDEHLMPRST')}{rng.randrange(10, 29)}{rng.choice('AFHL')}{rng.randrange(101, 999)}"
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


_NATIONAL = {
    "UK NHS": (_nhs, ("NHS number ", "NHS no: "), ("nhs number",)),
    "UK NINO": (lambda r: f"{r.choice('ABCEGHJ')}{r.choice('ABCEGHJ')}{digits(r, 6)}{r.choice('ABCD')}", ("National Insurance number ", "NI number: "), ("national insurance number",)),
    "DE Steuer-ID": (_steuer_id, ("Steuer-ID ", "Steueridentifikationsnummer: ", "Meine Steuer-ID ist "), ("steuer id", "tax id")),
    "ES DNI": (_dni, ("DNI ", "mi DNI es ", "NIF: "), ("dni", "nif", "national id")),
    "ES NIE": (_nie, ("NIE ", "mi NIE es "), ("nie", "national id")),
    "IT codice fiscale": (_codice_fiscale, ("codice fiscale ", "Codice fiscale: "), ("codice fiscale", "tax id")),
    "IN PAN": (lambda r: f"{letters(r, 3, _UPPER)}P{r.choice(_UPPER)}{digits(r, 4)}{r.choice(_UPPER)}", ("PAN ", "PAN card: ", "my PAN number is "), ("pan number", "tax id")),
    "IN Aadhaar": (lambda r: grouped(_verhoeff(digits(r, 11, "3456789")), (4, 4), " "), ("Aadhaar ", "Aadhaar number: "), ("aadhaar", "aadhaar number")),
    "PL PESEL": (_pesel, ("PESEL ", "mój PESEL to "), ("pesel", "national id")),
    "FI henkilötunnus": (_hetu, ("henkilötunnus ", "hetu: "), ("henkilotunnus", "national id")),
    "SE personnummer": (_personnummer, ("personnummer ", "mitt personnummer är "), ("personnummer", "national id")),
    "SG NRIC": (_nric, ("NRIC ", "my NRIC is ", "FIN: "), ("nric", "national id")),
    "AU TFN": (_tfn, ("tax file number ", "TFN: "), ("tax file number", "tfn")),
    "AU Medicare": (_medicare, ("Medicare number ", "medicare card "), ("medicare number",)),
    "CA SIN": (lambda r: grouped(luhn(digits(r, 8, "1234567")), (3, 3), " "), ("SIN ", "social insurance number "), ("social insurance number", "sin")),
}  # fmt: skip


def national_id(rng: Random) -> Value:
    """Return an id of one of the policy's countries, with its check digit, after its word."""
    kind = rng.choice(list(_NATIONAL))
    make, leads, keys = _NATIONAL[kind]
    text = make(rng)
    compact = "".join(c for c in text if c.isalnum())
    forms = {"without marks": compact} if compact != text else {}
    return Value(kind, text, (compact,), (), leads, keys, forms=forms)


_HIPAA = {
    "medical record": (lambda r: f"{r.choice('AHM')}{digits(r, 7)}", ("MRN# ", "MRN: ", "medical record number ", "hospital number "), ("mrn", "medical record number")),
    "health plan": (lambda r: f"{letters(r, 3, _UPPER)}{digits(r, 9)}", ("member ID of the health plan ", "health plan beneficiary number ", "insurance policy member ID "), ("health plan number", "member id")),
    "VIN": (lambda r: _vin(r), ("VIN ", "the vehicle identification number is ", "VIN: "), ("vin",)),
    "plate": (lambda r: f"{digits(r, 1)}{letters(r, 3, _UPPER)}{digits(r, 3)}", ("license plate ", "her car has the plate ", "number plate: "), ("license plate", "plate number")),
    "device": (lambda r: f"PM{digits(r, 7)}", ("pacemaker serial number ", "device serial number: ", "implant (S/N "), ("device serial number",)),
    "licence of a profession": (lambda r: f"RN{digits(r, 6)}", ("nursing license number ", "certificate number "), ("license number",)),
}  # fmt: skip


def _vin(rng: Random) -> str:
    """Return a vehicle identification number with the check digit of 49 CFR 565.15."""
    body = list(
        f"5{letters(rng, 7, 'ABCDEFGHJKLMNPRSTUVWXYZ')}0{rng.choice('ABCDEFGH')}{rng.choice('ABCDEFGH')}{digits(rng, 6)}"
    )
    worth = dict(
        zip(
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
            strict=True,
        )
    )
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(
        (worth[c] if c in worth else int(c)) * w for c, w in zip(body, weights, strict=True)
    )
    body[8] = "0123456789X"[total % 11]
    return "".join(body)


def hipaa_number(rng: Random) -> Value:
    """Return a number of a patient, plan, vehicle or device after its word, under `hipaa`."""
    kind = rng.choice(list(_HIPAA))
    make, leads, keys = _HIPAA[kind]
    text = make(rng)
    return Value(kind, text, (text,), (), leads, keys, policy="hipaa")

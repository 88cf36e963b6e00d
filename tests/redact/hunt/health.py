"""Numbers of patients, plans, vehicles and devices, which `hipaa` replaces after their word."""

from random import Random

from tests.redact.hunt.value import Value, digits, letters

_UPPER = "ABCDEFGHJKLMNPRSTUVWXYZ"
_WORTH = (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9)
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _vin(rng: Random) -> str:
    """Return a vehicle identification number with the check digit of 49 CFR 565.15."""
    body = [*f"5{letters(rng, 7, _UPPER)}0{letters(rng, 2, 'ABCDEFGH')}{digits(rng, 6)}"]
    worth = dict(zip(_UPPER, _WORTH, strict=True))
    values = [worth[c] if c in worth else int(c) for c in body]
    body[8] = "0123456789X"[sum(v * w for v, w in zip(values, _WEIGHTS, strict=True)) % 11]
    return "".join(body)


def health_number(rng: Random) -> Value:
    """Return a number of one of the classes of 45 CFR 164.514(b)(2) after its word."""
    kind, text, leads, keys = rng.choice(
        [
            (
                "medical record",
                f"{rng.choice('AHM')}{digits(rng, 7)}",
                ("MRN# ", "MRN: ", "medical record number ", "hospital number "),
                ("mrn", "medical record number"),
            ),
            (
                "health plan",
                f"{letters(rng, 3, _UPPER)}{digits(rng, 9)}",
                ("member ID of the health plan ", "health plan beneficiary number "),
                ("health plan number", "member id"),
            ),
            ("VIN", _vin(rng), ("VIN ", "vehicle identification number is ", "VIN: "), ("vin",)),
            (
                "plate",
                f"{digits(rng, 1)}{letters(rng, 3, _UPPER)}{digits(rng, 3)}",
                ("license plate ", "her car has the plate ", "number plate: "),
                ("license plate", "plate number"),
            ),
            (
                "device",
                f"PM{digits(rng, 7)}",
                ("pacemaker serial number ", "device serial number: ", "implant (S/N "),
                ("device serial number",),
            ),
            (
                "licence of a profession",
                f"RN{digits(rng, 6)}",
                ("nursing license number ", "certificate number "),
                ("license number",),
            ),
        ]
    )
    return Value(kind, text, (text,), (), leads, keys, policy="hipaa")

"""Telephone numbers out of the ranges that are set aside for fiction, as people write them."""

from random import Random

from tests.redact.hunt.value import Value, digits

_PHONES = {
    "US": ("1", ("{area} 555 01{n2}",)),
    "GB": ("44", ("20 7946 0{n3}", "7700 900{n3}", "1632 960{n3}")),
    "FR": ("33", ("1 99 00 {n2} {m2}", "6 39 98 {n2} {m2}", "2 61 91 {n2} {m2}")),
    "DE": ("49", ("30 23125 {n3}", "89 99998 {n3}", "171 39200{n2}")),
    "AU": ("61", ("491 570 {n3}", "2 5550 1{n3}")),
    "SE": ("46", ("8 465 004 {n2}", "31 390 06 {n2}")),
}
"""Country codes, and numbers in groups out of the ranges that are set aside for fiction."""


def _subscriber(rng: Random, region: str) -> str:
    """Return a number without code and trunk prefix, in its usual groups."""
    return rng.choice(_PHONES[region][1]).format(
        area=rng.choice(["212", "415", "312", "206", "617"]),
        n2=digits(rng, 2, "0123456789"),
        m2=digits(rng, 2, "0123456789"),
        n3=digits(rng, 3, "0123456789"),
    )


def phone_international(rng: Random) -> Value:
    """Return a telephone number with its country code; it needs no word."""
    region = rng.choice(list(_PHONES))
    code, number = _PHONES[region][0], _subscriber(rng, region)
    plain = number.replace(" ", "")
    forms = {
        "E.164": f"+{code}{plain}",
        "dashes": f"+{code}-{number.replace(' ', '-')}",
        "points": f"+{code}.{number.replace(' ', '.')}",
        "(0)": f"+{code} (0) {number}",
        "whatsapp:": f"whatsapp:+{code}{plain}",
        "tel:": f"tel:+{code}{plain}",
        "no-break spaces": f"+{code} {number}".replace(" ", "\u00a0"),
    }
    if region == "US":
        del forms["(0)"]
    keys = (
        "phone", "phone number", "mobile", "whatsapp number", "customer phone", "handynummer",
        "telefono",
    )  # fmt: skip
    leads = ("", "call me at ")
    return Value(
        "phone, international",
        f"+{code} {number}",
        (plain[-8:],),
        (),
        leads,
        keys,
        alone=True,
        forms=forms,
    )


def phone_national(rng: Random) -> Value:
    """Return a telephone number without its country code, after its word or under its key."""
    region = rng.choice(["US", "GB", "FR", "DE"])
    number = _subscriber(rng, region)
    number = number if region == "US" else f"0{number}"
    forms = {"digits": number.replace(" ", ""), "dashes": number.replace(" ", "-")}
    if region == "US":
        forms["parentheses"] = _parentheses(number)
    else:
        forms["points"] = number.replace(" ", ".")
        forms["slash"] = number.replace(" ", "/", 1)
    leads = {
        "US": ("phone ", "my cell is ", "call me on my mobile "),
        "GB": ("phone ", "mobile: ", "telephone "),
        "FR": ("tél. ", "téléphone : ", "mon portable : "),
        "DE": ("Tel. ", "Telefon: ", "meine Handynummer ist "),
    }[region]
    keys = ("phone", "mobile", "phone number", "home phone", "contact phone", "telefon", "fax")
    gone = (number.replace(" ", "")[-7:],)
    return Value("phone, national", number, gone, (), leads, keys, forms=forms)


def _parentheses(number: str) -> str:
    area, exchange, line = number.split()
    return f"({area}) {exchange}-{line}"


def phone_us(rng: Random) -> Value:
    """Return an American number with its usual marks; it needs no word."""
    number = _subscriber(rng, "US")
    forms = {"parentheses": _parentheses(number), "points": number.replace(" ", ".")}
    text = number.replace(" ", "-")
    gone = (text.replace("-", "")[-7:],)
    return Value("phone, US", text, gone, (), ("",), ("phone",), alone=True, forms=forms)

"""Harmless values, each of a kind that a finder may take for a person's."""

import uuid
from random import Random

from tests.redact.hunt.value import Value, digits, letters

_HEX = "0123456789abcdef"


def _id(rng: Random) -> Value:
    text = digits(rng, rng.randrange(13, 20))
    keys = (
        "shipment id",
        "event id",
        "job id",
        "batch number",
        "parcel id",
        "order id",
        "request id",
    )
    return Value("id of 13 to 19 digits", text, keys=keys, number=True)


def _order(rng: Random) -> Value:
    text = digits(rng, rng.randrange(7, 11))
    leads = ("order ", "ticket ", "case number ", "item ", "invoice no. ", "order #", "parcel ")
    return Value(
        "order number",
        text,
        leads=leads,
        keys=("order id", "item id", "invoice number", "ticket id", "case number"),
        number=True,
    )


def _identifier(rng: Random) -> Value:
    head = rng.choice(["order", "gift_card", "shipment", "voucher_card", "job"])
    return Value(
        "number at an identifier's end",
        f"{head}_{digits(rng, rng.randrange(7, 11))}",
        alone=True,
        keys=("reference", "payment id"),
    )


def _epoch(rng: Random) -> Value:
    seconds = str(rng.randrange(1_500_000_000, 1_900_000_000))
    text = seconds + rng.choice(["", digits(rng, 3, "0123456789"), digits(rng, 6, "0123456789")])
    return Value(
        "epoch",
        text,
        leads=("at ", "ts=", "since "),
        alone=True,
        keys=("ts", "timestamp", "created at", "time", "expires at"),
        number=True,
    )


def _decimal(rng: Random) -> Value:
    places = digits(rng, rng.randrange(6, 17), "0123456789")
    text = f"{rng.choice(['', '-'])}{rng.randrange(0, 40)}.{places}"
    return Value("decimal", text, alone=True, keys=("score", "embedding", "ratio", "weight"))


def _uuid(rng: Random) -> Value:
    text = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return Value("UUID", text, alone=True, keys=("id", "trace id", "key", "run id"))


def _hash(rng: Random) -> Value:
    text = letters(rng, rng.choice([7, 32, 40, 64]), _HEX)
    return Value(
        "hash",
        text,
        leads=("commit ", "sha256:", "md5 ", "index "),
        keys=("commit", "sha256", "etag", "digest"),
    )


def _version(rng: Random) -> Value:
    parts = [str(rng.randrange(0, 30)) for _ in range(rng.choice([3, 3, 4]))]
    leads = ("nginx ", "version ", "Chrome/", "python ", "haproxy ")
    return Value(
        "version", ".".join(parts), leads=leads, keys=("version", "app version", "version number")
    )


def _package(rng: Random) -> Value:
    name = rng.choice(["lodash", "typescript", "react-dom", "vite"])
    text = f"{name}@{rng.randrange(1, 19)}.{rng.randrange(0, 40)}.{rng.randrange(0, 30)}"
    return Value("package", text, alone=True, leads=("npm i ",), keys=("package", "dependency"))


def _isbn(rng: Random) -> Value:
    body = "978" + digits(rng, 9, "0123456789")
    check = -sum(int(c) * (1, 3)[i % 2] for i, c in enumerate(body)) % 10
    text = f"{body[:3]}-{body[3]}-{body[4:6]}-{body[6:]}-{check}"
    return Value("ISBN", text, leads=("ISBN ", "ISBN: "), keys=("isbn",))


def _ean(rng: Random) -> Value:
    body = digits(rng, 12, "4579")
    check = -sum(int(c) * (1, 3)[i % 2] for i, c in enumerate(body)) % 10
    return Value(
        "EAN",
        f"{body}{check}",
        leads=("EAN ", "article ", "GTIN "),
        keys=("ean", "gtin", "barcode"),
    )


def _loopback(rng: Random) -> Value:
    text = rng.choice(["127.0.0.1", "0.0.0.0", "localhost", "::1", "127.0.0.1:8080"])  # noqa: S104
    return Value(
        "loopback",
        text,
        leads=("listening on ", "host ", "http://" if ":" not in text else "on "),
        alone=":" not in text,
        keys=("host", "bind address", "listen"),
    )


def _issue(rng: Random) -> Value:
    return Value(
        "issue number",
        f"#{digits(rng, rng.randrange(4, 7))}",
        leads=("see ", "fixes ", ""),
        alone=True,
        keys=("issue", "pull request"),
    )


def _amount(rng: Random) -> Value:
    text = rng.choice(
        [
            f"{rng.randrange(1, 990)}.{digits(rng, 2)} USD",
            f"${rng.randrange(1, 99)},{digits(rng, 3)}.00",
            f"{rng.randrange(2, 900)} €",
            f"{rng.randrange(2, 990)},{digits(rng, 3)},{digits(rng, 3)}",
        ]
    )
    return Value("amount", text, alone=True, keys=("total", "price", "amount"))


def _count(rng: Random) -> Value:
    keys = (
        "email count",
        "passenger count",
        "phone count",
        "names total",
        "address count",
        "input tokens",
    )
    return Value("count under a personal word", str(rng.randrange(0, 400)), keys=keys, number=True)


def _flag(rng: Random) -> Value:
    keys = (
        "phone verified",
        "email verified",
        "address validation",
        "password reset required",
        "name required",
        "email bounced",
        "ssn required",
    )
    return Value(
        "flag under a personal word",
        rng.choice(["yes", "no", "passed", "true", "never", "required"]),
        keys=keys,
    )


def _absent(rng: Random) -> Value:
    keys = ("email", "phone", "address", "ssn", "password", "passport", "name")
    return Value(
        "nothing under a personal key",
        rng.choice(["n/a", "none", "unknown", "-", "null", ""]),
        keys=keys,
    )


def _setting(rng: Random) -> Value:
    key, text = rng.choice(
        [
            ("password min length", "12"),
            ("token ttl seconds", "3600"),
            ("max tokens", "512"),
            ("session timeout", "900"),
            ("api key header", "x-api-key"),
            ("secrets manager", "enabled"),
        ]
    )
    return Value("setting", text, keys=(key,))


def _type(rng: Random) -> Value:
    keys = ("first name", "email", "phone", "date of birth", "password hash", "address", "ssn")
    return Value(
        "type under a personal key",
        rng.choice(["string", "varchar(32)", "date", "text", "boolean", "integer"]),
        keys=keys,
    )


def _thing_name(rng: Random) -> Value:
    key, text = rng.choice(
        [
            ("file name", "report.pdf"),
            ("model name", "gpt-4o"),
            ("product name", "desk lamp"),
            ("event name", "page_view"),
            ("host name", "web-3"),
            ("branch name", "main"),
            ("job name", "nightly build"),
            ("table name", "orders"),
            ("column name", "total"),
        ]
    )
    return Value("name of a thing", text, keys=(key,))


def _words(rng: Random) -> Value:
    text = rng.choice(
        [
            "the parcel leaves Hamburg on Tuesday and reaches Lisbon by Friday",
            "items can be sent back within thirty days",
            "the reset link works for one hour",
            "your password was changed on 14 March",
            "the address is missing in the form",
            "the phone has a cracked screen",
            "das Paket wurde nicht zugestellt",
            "¿puedo cambiar la fecha del pedido?",
            "la livraison est gratuite à partir de cinquante euros",
            "la mia consegna è in ritardo",
            "注文をキャンセルしたいのですが",
            "use dot notation at the top level",
            "this is broken again",
            "it's late and I'm tired",
            "I'm waiting for the refund",
            "this is urgent",
            "the name is missing and the title is wrong",
            "for (int i = 0; i < n; i++) total += prices[i];",
            "SELECT region, SUM(total) FROM sales GROUP BY region",
            "Traceback (most recent call last): KeyError: 'amount'",
            "the key is under the mat and the secret of bread is time",
        ]
    )
    return Value(
        "ordinary words", text, alone=True, keys=("note", "comment", "description", "summary")
    )


def _code(rng: Random) -> Value:
    text = rng.choice(
        [
            "E11.9",
            "HTTP 404",
            "LH 454",
            "14C",
            "LAMP-02",
            "1Z999AA10123456784",
            "MSCU1234566",
            "0xDEADBEEF",
            "en-US",
            "UTF-8",
            "2026-03-14T10:15:00Z",
            "10:15:00.482",
            "ubuntu-latest",
            "apps/v1",
            "gpt-4o-2024-08-06",
            f"W{digits(rng, 7)}",
        ]
    )
    return Value("code", text, alone=True, keys=("code", "sku", "seat", "format", "started at"))


def _size(rng: Random) -> Value:
    text = str(
        rng.choice(
            [
                2147483647,
                4294967295,
                9007199254740993,
                1073741824,
                8589934592,
                600851475143,
                1000000007,
            ]
        )
    )
    return Value(
        "large number",
        text,
        leads=("bytes ", "n = ", "max "),
        keys=("bytes", "max value", "size"),
        number=True,
    )


HARMLESS = (
    _id, _id, _order, _identifier, _epoch, _epoch, _decimal, _decimal, _uuid, _uuid, _hash,
    _version,
    _package, _isbn, _ean, _loopback, _issue, _amount, _count, _flag, _absent, _setting, _type,
    _thing_name, _words, _words, _code, _size,
)  # fmt: skip

"""Checks whether a number identifies a thing: an order, ticket, version, hash or product.

The text directly before a number, and the token around it, decide. The detectors and the residual
scan share this check.
"""

import re

from redact.policies.data_types import NUMBER_LIKE

_THINGS = (
    "items?|orders?|sku|products?|articles?|invoices?|bills?|receipts?|tickets?|cases?|issues?|"
    "shipments?|parcels?|packages?|deliver(?:y|ies)|consignments?|tracking|containers?|variants?|"
    "parts?|builds?|versions?|releases?|commits?|revisions?|bookings?|reservations?|flights?|"
    "certificates?|vouchers?|coupons?|purchases?|transactions?|txn?|quotes?|claims?|jobs?|tasks?|"
    "batch(?:es)?|events?|requests?|req|messages?|msg|sessions?|traces?|spans?|runs?|rows?|"
    "records?|lots?|models?|isbn|issn|ean|gtin|upc|asin|doi|pmid|pmcid|arxiv|imo|hs|po|rma|pr|"
    "pages?|lines?|ports?|pids?|threads?|offsets?|sizes?|lengths?|bytes|counts?|epochs?|"
    "timestamps?|ts|seeds?|sha|hash(?:es)?|checksums?|crc|resourceversion|generation|"
    "bestell(?:ung|nummer|nr)|bestellungen|auftrag(?:snummer)?|rechnung(?:snummer)?|"
    "sendung(?:snummer)?|artikel(?:nummer)?|vorgang(?:snummer)?|buchung(?:snummer)?|"
    "pedidos?|facturas?|env[i\u00ed]os?|art[i\u00ed]culos?|reservas?|"
    "commandes?|factures?|colis|r[e\u00e9]servations?|dossiers?|"
    "ordin[ei]|fattur[ae]|spedizion[ei]|prenotazion[ei]|"
    "encomendas?|faturas?|"
    "bestelling(?:en)?|factu(?:ur|ren)|zending(?:en)?|"
    "zam[o\u00f3]wieni[ae]|faktur[ay]|przesy\u0142k[ai]|rezerwacj[ai]"
)
_NUMBER = (
    r"(?:[ _-]?(?:ids?|numbers?|nos?\.?|nrs?\.?|codes?|num|ref(?:erences?)?|"
    r"n[o\u00fau]m(?:ero|\u00e9ro)?|n[\u00b0\u00ba]|numer[oy]?|nummers?|nummern))?"
)
_THING = re.compile(
    rf"(?<![A-Za-z])(?:{_THINGS}){_NUMBER}"
    r"(?: is| are| was| ist| es| est| \u00e8| jest)?[ ]{0,2}[:#=(]?[ ]?[#\"'`*]{0,3}[A-Z]?\Z",
    re.IGNORECASE,
)
_CARD = re.compile(
    r"(?<![a-z])(?:credit|debit|bank|pay(?:ment)?|visa|amex|mastercard|maestro)[_ -]?"
    r"(?:cards?)?(?:[_ -]?(?:no|nr|num|number))?[_-]\Z"
    r"|(?:\A|(?<![a-z_-]))(?:cards?|cc|pan|kreditkarte|karte|carte|tarjeta|carta|kort)"
    r"(?:[_ -]?(?:no|nr|num|number))?[_-]\Z",
    re.IGNORECASE,
)
_LOOK_BACK = 60

_TOKEN_LEFT = re.compile(r"[0-9A-Za-z-]{0,40}\Z")
_TOKEN_RIGHT = re.compile(r"[0-9A-Za-z-]{0,40}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEX = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{7,128}\Z")
_MIXED = re.compile(r"[0-9]+[A-Za-z]+[0-9]|[A-Za-z]+[0-9]+[A-Za-z]+[0-9]")


def belongs_to_thing(text: str, start: int, end: int, kind: str) -> bool:
    """Return whether a number of the type ``kind`` at ``text[start:end]`` belongs to a thing.

    It does at the end of an identifier (`gift_card_1647044`), after the word for a thing
    (`item 1656367028`), and as part of a UUID, a hash or a decimal.
    """
    if kind not in NUMBER_LIKE:
        return False
    if is_within_code(text, start, end) or is_fraction(text, start, end):
        return True
    bare = text[start:end].isalnum()
    if not bare or start < 2 or kind == "CRYPTO":  # wallets do not look like numbers of things
        return False
    before = text[max(start - _LOOK_BACK, 0) : start]
    if kind == "CREDIT_CARD" and _CARD.search(before):
        return False
    if _ends_identifier(before, text[end : end + 2], kind):
        return True
    return text[start:end].isdecimal() and _THING.search(before) is not None


def is_within_code(text: str, start: int, end: int) -> bool:
    """Return whether a stretch is part of a UUID or of a longer hexadecimal number."""
    left = _TOKEN_LEFT.search(text, max(start - 40, 0), start)
    right = _TOKEN_RIGHT.match(text, end)
    before = left[0] if left else ""
    after = right[0] if right else ""
    if not before and not after and end - start < 36:
        return False
    token = before + text[start:end] + after
    for match in _UUID.finditer(token):
        if match.start() < len(before) + end - start and match.end() > len(before):
            return True
    word_before, word_after = before.rpartition("-")[2], after.partition("-")[0]
    if not word_before and not word_after:
        return False
    word = word_before + text[start:end] + word_after
    if _HEX.match(word) and not word.isdecimal():
        return True
    return bool(_MIXED.search(word_before + "0" + word_after))


def is_fraction(text: str, start: int, end: int) -> bool:
    """Return whether a stretch is part of a decimal: `1.4142135`, or one side of it."""
    value = text[start:end]
    if value.count(".") == 1 and value.replace(".", "").isdecimal():
        return True
    if text[start - 1 : start] == "." and text[max(start - 2, 0) : start - 1].isdecimal():
        return True
    return text[end : end + 1] == "." and text[end + 1 : end + 2].isdecimal()


def _ends_identifier(before: str, after: str, kind: str) -> bool:
    """Return whether bare digits end an identifier, as in `order_521438871`."""
    if len(before) < 2:
        return False
    mark, further = before[-1], before[-2]
    if mark == "-":
        return further.isalpha() and further.isascii()
    if mark != "_" or not further.isalnum():
        return False
    if kind != "CREDIT_CARD":
        return True
    name = re.split(r"[^A-Za-z]+", before[:-1])[-1] + "_"
    return after[:1] not in ("_", ".") or _THING.search(name[:-1]) is not None

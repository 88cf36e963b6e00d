"""Whether a value can be what its key says: `phone_type: home`, `email: string` are no data.

The key names a type, the value must have its shape: few demands where the key is certain, more
where it is vague. Where the shape is plainly that of another type, the value is of that one.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from redact.key_words import Cat, folded, words

_MAX_CHARACTERS = 2_000
"""Longer values are texts, to be looked through."""

_NOTHING = frozenset(
    """
    n/a na none null nil nan undefined unknown unspecified anonymous anonymized anonymised redacted
    removed masked hidden deleted withheld confidential tbd tba todo empty blank missing xxx yes no y n
    true false on off string str text varchar char number integer int int4 int8 bigint smallint float
    double decimal numeric real boolean bool object array list dict map set tuple any date datetime
    time timestamp timestamptz uuid guid bytes bytea blob binary json jsonb enum email phone tel url uri
    password required optional nullable unique readonly writeonly not-null nonnull serial varchar2
    nvarchar citext ipv4 ipv6 inet cidr hostname file secretstr emailstr anyurl literal union
    ja nein keine keiner kein keins unbekannt oui non aucun aucune inconnu inconnue si sí ninguno
    ninguna desconocido sim não nenhum desconhecido nessuno nessuna sconosciuto geen onbekend
    tak nie brak nieznany ingen okänd okand нет да неизвестно なし 無し 不明 未設定 无 無 未知 空 vide leer leeg vazio vuoto
    """.split()
)
_PHRASES = frozenset(
    {
        "not provided", "not available", "not set", "not given", "not specified", "not applicable",
        "not found", "not known", "no data", "not null", "none provided", "none given", "keine angabe",
        "nicht angegeben", "non renseigné", "no disponible", "não informado", "non disponibile",
        "brak danych", "niet bekend", "not recorded", "on file", "as above", "see above", "same as above",
        "to be confirmed", "to be defined", "not shared", "not on file", "declined to answer",
        "prefer not to say", "não disponível", "no especificado", "non spécifié", "non spécifiée",
        "ej angivet", "не указано", "не указан", "double precision", "timestamp with time zone",
        "character varying", "no aplica", "sans objet", "not collected", "upon request", "unsigned int",
    }
)  # fmt: skip
_SETTINGS = frozenset(
    """
    enabled disabled enable disable active inactive verified unverified confirmed unconfirmed pending
    sent failed bounced valid invalid present provided unset ok okay success passed open closed always
    never daily weekly monthly hourly all other default home work office mobile cell cellular landline
    personal business private public primary secondary billing shipping residential mailing postal
    preferred sms mail email e-mail phone whatsapp fax voice call chat push manual automatic auto
    internal external low medium high strong weak good bad new old current previous expired revoked
    locked unlocked allowed denied blocked opted-in opted-out subscribed unsubscribed delivered opened
    clicked queued requested accepted rejected approved complete completed incomplete done partial
    full short long yes/no privat privé geschäftlich arbeit zuhause standard normal basic advanced
    two one three many few several both either changed unchanged matched mismatch found not-found
    prod production staging dev test local remote male female adult child infant savings checking
    """.split()
)
"""What a setting or a state says, not a person's datum; passwords and names may be such words."""

_NAMES_TOO = frozenset("na no si ja nan nil nie tak sim non on date list set any do an y n".split())
"""Words that say nothing in small letters, and are names with a capital: `Na`, `Tak`."""

_PLACEHOLDER = re.compile(
    r"<[^<>@]{0,80}>|\{\{.{0,80}\}\}|\{[\w .:-]{0,60}\}|\[[A-Za-z _:.-]{1,40}\]|__?\w{1,60}__"
    r"|%\(?\w{1,40}\)?[sd]?%?|\$\{.{0,120}\}|\$\(.{0,200}\)|\$[A-Za-z_]\w{0,60}|\$\{\{.{0,120}\}\}"
    r"|[*\u2022\u25cf\u00b7_.\u2026?#-]{1,40}|(?:[xX]{2,12}|[*\u2022#]{1,16})(?:[ .()/@-]{0,3}[xX*\u2022#0-9]{1,12}){0,6}"
    r"|(?:os\.)?environ\b.{0,80}|os\.getenv.{0,80}|process\.env\b.{0,80}|env\(.{0,80}\)|getenv\(.{0,80}\)"
    r"|secrets?\.[A-Za-z_]\w{0,80}|(?:your|my|the|enter|insert|replace|add)[-_ ].{0,60}(?:here|key|token|password|secret|email|phone|name|address|number|id)"
    r"|(?:valueFrom|secretKeyRef|!Ref|!Sub|!GetAtt)\b.{0,120}|(?:file|vault|op|ssm|keychain|keyring)://.{0,200}|/(?:run|var/run|etc|mnt|vault)/.{1,200}",
    re.IGNORECASE | re.DOTALL,
)
_MASKED = re.compile(r"(?:[*\u2022x#X][ -]?){4,}[0-9]{0,4}\Z")
_PATTERN = re.compile(
    r"\^|\\[dwsSDWbpuA]|\[[^\]]{1,40}-[^\]]{1,40}\][{+*]|\(\?[:=!P]|\.\*|\{[0-9]+,[0-9]*\}"
)
_FORMAT = re.compile(
    r"(?:yyyy|yy|jjjj|aaaa|dd|mm|tt|jj|gg|hh|mmm|mmmm|ss)(?:[ ./:t-]{0,2}(?:yyyy|yy|jjjj|aaaa|dd|d|mm|m|tt|jj|gg|hh|mmm|mmmm|ss|z)){1,7}",
    re.IGNORECASE,
)
_TYPED = re.compile(
    r"(?:n?var)?char(?:acter)?2?(?: varying)?\s?\([0-9a-z]{1,5}\)?.{0,60}|(?:numeric|decimal|int|bigint|float|binary|varbinary|enum|array|list|dict|optional|union|literal|text|string|str|timestamp)\s?[(\[<].{0,120}"
    r"|[a-z0-9_ ]{1,30}(?:\s(?:not null|null|primary key|unique|default\b.{0,60})){1,4}|(?:string|str|int|integer|number|boolean|bool|date|any)(?:\[\]|\?|\s?\|\s?\w{1,20}){1,4}",
    re.IGNORECASE,
)
_RULES = re.compile(
    r"(?:required|nullable|sometimes|optional|string|email|unique|confirmed|min|max|integer|numeric|regex)(?::[^|]{0,40})?(?:\|[a-z_]{1,30}(?::[^|]{0,60})?){1,12}"
)
_URL = re.compile(r"(?:https?|ftp|wss?|data|urn|s3|gs|mailto|tel):", re.IGNORECASE)
_MAIL = re.compile(
    r"(?:mailto:)?[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,190}\.[^\W\d_]{2,24}\.?|.{0,80}<[^\s@<>]{1,64}@[^\s@<>]{1,190}>"
)
_DIALLED = re.compile(
    r"(?:tel:|whatsapp:|sms:)?\+[0-9][0-9 ()./-]{6,22}|\(?0?[0-9]{2,4}\)?[ ./-][0-9]{3,4}[ .-]?[0-9]{3,5}"
)
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5}|/[0-9]{1,2})?")
_IPV6 = re.compile(
    r"\[?(?=[0-9a-f:.%]*:[0-9a-f:.%]*:)[0-9a-f:.]{2,45}(?:%\w{1,16})?\]?(?::[0-9]{1,5}|/[0-9]{1,3})?",
    re.IGNORECASE,
)
_NO_HOST = re.compile(r"127\.|0\.0\.0\.0|255\.255\.|::1?(?:/[0-9]+)?\Z|\[::1?\]")
_MAC = re.compile(
    r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5,7}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}",
    re.IGNORECASE,
)
_WALLET = re.compile(
    r"0x[0-9a-f]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,39}|(?:bc1|tb1|ltc1|addr1)[0-9a-z]{20,110}|[TLDXr][1-9A-HJ-NP-Za-km-z]{25,40}",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-f]{1,64}|[0-9a-f]{16,}", re.IGNORECASE)
_DIGIT = re.compile(r"[0-9]")
_WORDS = re.compile(r"[^\W\d_]+")


def fits(rule: str, value: str, *, certain: bool = True, is_number: bool = False) -> str | None:
    """Return the type under which a value is to be replaced, None where it is no datum.

    ``rule`` is the type that the key names; without ``certain`` the value must look like it.
    ``is_number`` says that the value is a number of JSON, not a string.
    """
    text = value.strip()
    if not text or len(text) > _MAX_CHARACTERS or _says_nothing(text, rule, certain):
        return None
    if not is_number and rule not in _AS_THEY_ARE:
        other = _other_type(rule, text, certain)
        if other:
            return other
    check = _SHAPES.get(rule)
    if check is None:
        return rule if certain or _DIGIT.search(text) else None
    return rule if check(text, certain, is_number) else None


_AS_THEY_ARE = frozenset({"SECRET", "IP_ADDRESS", "MAC_ADDRESS", "DATE_OF_BIRTH", "CRYPTO"})
"""Types whose values are never taken for another type."""
_NO_MAIL = frozenset({"EMAIL_ADDRESS", "USER_ID"})


def _other_type(rule: str, text: str, certain: bool) -> str | None:
    """Return another type that a value plainly is: an address of a machine, of mail, a phone."""
    if rule != "EMAIL_ADDRESS" and "@" in text and not (rule == "USER_ID" and certain):
        if _MAIL.fullmatch(text):
            return "EMAIL_ADDRESS"
    if rule == "STREET_ADDRESS" or (rule == "USER_ID" and not certain):
        if _is_ip(text, True, False):
            return "IP_ADDRESS"
        if _MAC.fullmatch(text) and not text.isdigit():
            return "MAC_ADDRESS"
        if _WALLET.fullmatch(text) and " " not in text and not text.isalpha():
            return "CRYPTO"
    if rule in ("PERSON", "EMAIL_ADDRESS") or (rule == "USER_ID" and not certain):
        if _DIALLED.fullmatch(text) and _digits(text) >= _SHORTEST_DIALLED:
            return "PHONE_NUMBER"
    return None


_SHORTEST_DIALLED = 7


def _says_nothing(text: str, rule: str, certain: bool) -> bool:
    """Report whether a value stands in for one: `n/a`, `string`, `${EMAIL}`, `YYYY-MM-DD`."""
    lowered = text.lower().rstrip(".!")
    if lowered in _NOTHING:
        if rule == "SECRET":
            return lowered in _NO_SECRETS or not certain
        return not (rule == "PERSON" and certain and text.istitle() and lowered in _NAMES_TOO)
    if lowered in _PHRASES:
        return True
    if (
        lowered in _SETTINGS
        and rule not in ("SECRET", "USER_ID")
        and not (rule == "PERSON" and certain and text.istitle())
    ):
        return True
    if _PLACEHOLDER.fullmatch(text):
        return not (rule == "SECRET" and certain and _looks_random(text))
    if _MASKED.match(text) or _FORMAT.fullmatch(text) or _TYPED.fullmatch(text):
        return True
    if "|" in text and _RULES.fullmatch(text):
        return True
    return rule != "SECRET" and _PATTERN.search(text) is not None


_NO_SECRETS = _NOTHING - {
    "password",
    "email",
    "phone",
    "blank",
    "text",
    "date",
    "time",
    "hidden",
    "confidential",
}


# Shapes --------------------------------------------------------------------------------------


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _is_email(text: str, certain: bool, is_number: bool) -> bool:
    if is_number:
        return False
    if "@" in text:
        return _MAIL.fullmatch(text) is not None or (certain and len(text) <= _LONGEST_LINE)
    if not certain or _URL.match(text) or len(text) > _LONGEST_LINE or text.isdigit():
        return False
    return text.count(" ") <= _MOST_SPACES and any(map(str.isalpha, text))


_LONGEST_LINE = 120
_MOST_SPACES = 5


def _is_phone(text: str, certain: bool, is_number: bool) -> bool:
    digits = _digits(text)
    if is_number and not text.isdigit():
        return False
    if not (_FEWEST_DIALLED <= digits <= _MOST_DIALLED) or len(text) > _LONGEST_PHONE:
        return False
    letters = len(text) - digits - sum(text.count(c) for c in " ()+-./:#,*")
    if certain:
        return letters <= _MOST_LETTERS
    return (
        digits >= _SHORTEST_DIALLED
        and letters == 0
        and not _IPV4.fullmatch(text)
        and not _is_date(text)
    )


_FEWEST_DIALLED = 5
_MOST_DIALLED = 32
_LONGEST_PHONE = 80
_MOST_LETTERS = 24
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _is_date(text: str) -> bool:
    return _ISO_DATE.match(text) is not None


def _is_person(text: str, certain: bool, is_number: bool) -> bool:
    if is_number or len(text) > _LONGEST_NAME or not _has_letters_of_a_name(text):
        return False
    if text[0].islower() and text.isascii() and _CODE.search(text):
        return False
    parts = text.split()
    if len(parts) > _MOST_NAMES or (text[-1] in "?!" and len(parts) > 1):
        return False
    if certain:
        return True
    return _looks_like_a_name(text, parts)


_LONGEST_NAME = 80
_MOST_NAMES = 7
_CODE = re.compile(r"[a-z][A-Z]|\(\)|\.[a-z]{2,}")
_BETWEEN = frozenset(" \t.,'\u2019\u2018`\u00b4\u00b7\u30fb\u2010\u2011\u2013-()\"&\u3000;")


def _has_letters_of_a_name(text: str) -> bool:
    """Report whether a value is made of letters, in any script, and of what stands in names."""
    letters = 0
    for character in text:
        if character.isalpha():
            letters += 1
        elif character not in _BETWEEN and unicodedata.category(character)[0] != "M":
            return False
    return letters > 0 and (text[0].isalpha() or text[0] in "'\u2019\"(")


def _looks_like_a_name(text: str, parts: list[str]) -> bool:
    """Judge a value under a vague key: capitals, or words that no key is made of."""
    if (
        not text.isascii()
        and not any(c.isupper() for c in text)
        and not any(c.islower() for c in text)
    ):
        return len(text) <= _LONGEST_FOREIGN  # a script without capitals
    if len(parts) > _MOST_VAGUE or "-" in text and text.islower():
        return False
    named = [part for part in parts if part[0].isupper()]
    if len(parts) == 1:
        return bool(named) and not _is_ordinary(text)
    if len(named) >= len([part for part in parts if len(part) > _PARTICLE]) and named:
        return not all(map(_is_ordinary, parts))
    return text.islower() and len(parts) <= _MOST_LOWER and not any(map(_is_ordinary, parts))


_LONGEST_FOREIGN = 30
_MOST_VAGUE = 5
_MOST_LOWER = 3
_PARTICLE = 3


@lru_cache(maxsize=4_096)
def _is_ordinary(word: str) -> bool:
    """Report whether a word is one that keys are made of, or a setting: no part of a name."""
    bare = folded(word.strip(".,'\"()"))
    if bare in _NOTHING or bare in _SETTINGS or bare in _COMMON:
        return True
    known = words().by_words.get((bare,))
    return known is not None and bool(known.type or known.cat & ~Cat.NEUTRAL)


_COMMON = frozenset(
    """
    the a an and or of to for in on at by with from please help your my our this that is are was be not
    install installs build builds deploy run runs test tests get set create update delete add remove
    check make start stop send read write load save open close print parse fetch list show setup lint
    compile publish release upload download clean cache restore sync import export migrate validate
    what where when how why who can could will would should must do does did has have had
    system admin root guest bot support sales info team desk lamp chair shirt red blue green black white
    """.split()
)


def _is_street(text: str, certain: bool, is_number: bool) -> bool:
    if is_number:
        return certain and text.isdigit()
    if (
        _URL.match(text)
        or _HEX.fullmatch(text)
        or len(text) > _LONGEST_ADDRESS
        or _NO_HOST.match(text)
    ):
        return False
    if text.lower() == "localhost" or _HOST_PORT.fullmatch(text) or _UUID.fullmatch(text):
        return False
    letters = any(map(str.isalpha, text))
    if certain:
        return letters or _DIGIT.search(text) is not None
    return letters and not text.startswith(("/", "\\", "#", "@")) and "_" not in text


_LONGEST_ADDRESS = 300
_HOST_PORT = re.compile(
    r"[\w.-]{1,200}:[0-9]{1,5}|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|local|internal|svc|dev|app)"
)


def _is_secret(text: str, certain: bool, is_number: bool) -> bool:
    if is_number:
        return certain and len(text) >= _SHORTEST_PIN and text.isdigit()
    if not certain:
        return _looks_random(text)
    if text.isdigit() and len(text) < _FEWEST_CODE:
        return False
    spaces = text.count(" ")
    if "=" in text or spaces < _SENTENCE:
        return True
    return spaces <= _LONGEST_PHRASE and text[-1] not in ".?!:"


_SHORTEST_PIN = 4
_FEWEST_CODE = 3
_SENTENCE = 3
_LONGEST_PHRASE = 12
_SHORTEST_RANDOM = 8
_LONG_RANDOM = 24


def _looks_random(text: str) -> bool:
    """Report whether a value is one of a machine: letters and digits mixed, no words, no place."""
    if len(text) < _SHORTEST_RANDOM or any(map(str.isspace, text)) or _URL.match(text):
        return False
    if text[0] in "<[{$%/" or _UUID.fullmatch(text) or _is_date(text):
        return False
    digits = _digits(text)
    letters = sum(map(str.isalpha, text))
    if digits and letters:
        return digits > 1 or len(text) >= _LONG_RANDOM
    return len(text) >= _LONG_RANDOM and letters == len(text) and not text.islower()


def _numbered(least: int, most: int, letters: int) -> Callable[[str, bool, bool], bool]:
    """Return a check for numbers of ``least`` to ``most`` digits and at most some ``letters``."""

    def check(text: str, certain: bool, is_number: bool) -> bool:
        if is_number and not text.isdigit():
            return False
        digits = _digits(text)
        return least <= digits <= most and sum(map(str.isalpha, text)) <= letters

    return check


_is_ssn = _numbered(7, 9, 0)
_is_bank = _numbered(4, 30, 8)
_is_zip = _numbered(2, 10, 6)
_is_national = _numbered(3, 24, 14)
_is_record = _numbered(2, 24, 14)
_is_licence = _numbered(3, 16, 8)


def _is_vehicle(text: str, certain: bool, is_number: bool) -> bool:
    """VIN, or a plate: letters of any script and digits, short."""
    if is_number or len(text) > _LONGEST_PLATE:
        return False
    return certain or (
        bool(_DIGIT.search(text)) and any(map(str.isalpha, text)) and text.count(" ") <= 3
    )


_LONGEST_PLATE = 24


def _is_card(text: str, certain: bool, is_number: bool) -> bool:
    if is_number and not text.isdigit():
        return False
    digits = _digits(text)
    if sum(map(str.isalpha, text)) > _MOST_CARD_LETTERS or (not certain and _is_date(text)):
        return False
    return 12 <= digits <= 19 or (certain and digits in (3, 4) and len(text) == digits)


_MOST_CARD_LETTERS = 12


def _is_iban(text: str, certain: bool, is_number: bool) -> bool:
    if is_number:
        return False
    signs = sum(map(str.isalnum, text))
    return 8 <= signs <= 40 and _digits(text) >= 6


def _is_birth_date(text: str, certain: bool, is_number: bool) -> bool:
    if is_number:
        return _NUMBER_DATE.fullmatch(text) is not None
    return _DIGIT.search(text) is not None and len(text) <= _LONGEST_DATE and _digits(text) <= 24


_NUMBER_DATE = re.compile(r"(?:19|20)[0-9]{2}|-?[0-9]{5,13}|(?:[1-9]|1[0-2])")
_LONGEST_DATE = 60


def _is_ip(text: str, certain: bool, is_number: bool) -> bool:
    if is_number or not (_IPV4.match(text) or _IPV6.match(text)):
        return False
    parts = [part.strip() for part in text.split(",")]
    return any(
        (_IPV4.fullmatch(part) or _IPV6.fullmatch(part)) and not _NO_HOST.match(part)
        for part in parts
    )


def _is_mac(text: str, certain: bool, is_number: bool) -> bool:
    return not is_number and _MAC.fullmatch(text) is not None


def _is_wallet(text: str, certain: bool, is_number: bool) -> bool:
    return not is_number and _WALLET.fullmatch(text) is not None


def _is_user(text: str, certain: bool, is_number: bool) -> bool:
    if certain:
        return (
            len(text) <= _LONGEST_LINE
            and text.count(" ") <= _MOST_SPACES
            and any(map(str.isalnum, text))
        )
    if (
        is_number
        or " " in text
        or _UUID.fullmatch(text)
        or _HEX.fullmatch(text)
        or len(text) > _LONGEST_LOGIN
    ):
        return False
    return any(map(str.isalpha, text)) and (
        _NAMED.fullmatch(text) is not None or (_DIGIT.search(text) is not None and "/" not in text)
    )


_LONGEST_LOGIN = 48
_NAMED = re.compile(r"[^\W\d_]{2,}(?:[._-][^\W\d_]{2,}){1,3}[._-]?[0-9]{0,8}")


def _is_age(text: str, certain: bool, is_number: bool) -> bool:
    match = _AGED.fullmatch(text)
    return match is not None and 0 < int(match[1]) <= _OLDEST


_AGED = re.compile(
    r"([0-9]{1,3})(?: ?(?:years?(?: old)?|y/?o?|jahre?|ans|años|anni|anos|jaar|lat|歳|岁))?",
    re.IGNORECASE,
)
_OLDEST = 120


def _is_group(text: str, certain: bool, is_number: bool) -> bool:
    return not is_number and len(text) <= _LONGEST_NAME and any(map(str.isalpha, text))


_SHAPES: dict[str, Callable[[str, bool, bool], bool]] = {
    "PERSON": _is_person,
    "EMAIL_ADDRESS": _is_email,
    "PHONE_NUMBER": _is_phone,
    "STREET_ADDRESS": _is_street,
    "ZIP_CODE": _is_zip,
    "DATE_OF_BIRTH": _is_birth_date,
    "CREDIT_CARD": _is_card,
    "IBAN_CODE": _is_iban,
    "US_BANK_NUMBER": _is_bank,
    "CRYPTO": _is_wallet,
    "NATIONAL_ID": _is_national,
    "US_SSN": _is_ssn,
    "US_ITIN": _is_ssn,
    "US_PASSPORT": _is_national,
    "US_DRIVER_LICENSE": _is_national,
    "UK_NHS": _numbered(9, 10, 0),
    "MEDICAL_LICENSE": _is_licence,
    "MEDICAL_RECORD": _is_record,
    "IP_ADDRESS": _is_ip,
    "MAC_ADDRESS": _is_mac,
    "SECRET": _is_secret,
    "USER_ID": _is_user,
    "VEHICLE_ID": _is_vehicle,
    "AGE": _is_age,
    "NRP": _is_group,
}

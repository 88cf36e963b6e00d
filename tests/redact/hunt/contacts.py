"""Values that lead to a person or a machine: names, mail, phones, addresses, birth dates, hosts."""
# ruff: noqa: RUF001  # words of many scripts

from random import Random

from tests.redact.hunt.people import handle, person
from tests.redact.hunt.value import Value, digits, letters

INTRODUCTIONS = {
    "en": (
        "my name is ", "My name is ", "I am called ", "hi, I'm ", "Hello, this is ", "it's ",
        "passenger: ", "Passenger: ", "Customer: ", "Patient: ", "Name: ", "Full name: ",
        "My full name is ", "the name is ", "Guest name: ",
    ),
    "de": ("Mein Name ist ", "Ich heiße ", "mein name ist ", "Fahrgast: ", "Name: ", "Kundin: "),
    "fr": ("Je m'appelle ", "je m'appelle ", "Mon nom est ", "Passager : ", "Nom : "),
    "es": ("Me llamo ", "Mi nombre es ", "me llamo ", "Pasajero: ", "Nombre: "),
    "pt": ("Meu nome é ", "O meu nome é ", "Chamo-me ", "Passageiro: ", "Nome: "),
    "it": ("Mi chiamo ", "Il mio nome è ", "mi chiamo ", "Passeggero: ", "Nome: "),
    "nl": ("Mijn naam is ", "Ik heet ", "mijn naam is ", "Passagier: ", "Naam: "),
    "pl": ("Nazywam się ", "Mam na imię ", "nazywam się ", "Pasażer: ", "Imię i nazwisko: "),
}  # fmt: skip
FULL_NAME_KEYS = (
    "name", "full name", "customer name", "passenger name", "contact name", "guest full name",
    "account holder name", "cardholder name", "display name", "patient name", "nombre completo",
    "vollständiger name", "recipient name", "emergency contact name",
)  # fmt: skip
TWO_KEYS = (
    ("first name", "last name"), ("given name", "family name"), ("firstname", "lastname"),
    ("billing first name", "billing last name"), ("customer first name", "customer last name"),
    ("vorname", "nachname"), ("prenom", "nom de famille"), ("nombre", "apellidos"),
    ("nome", "cognome"), ("voornaam", "achternaam"), ("imię", "nazwisko"), ("nome", "sobrenome"),
)  # fmt: skip


def name_under_key(rng: Random) -> Value:
    """Return a person's full name for one key, in any script."""
    who = person(rng, latin=0.7)
    text = who.full if rng.random() < 0.6 else who.full.lower()
    gone = (who.full,) if who.script in {"han", "kana", "hangul"} else ()
    words = () if gone else (who.first, who.last)
    echo = who.full if who.script == "latin" else ""
    return Value("name under a key", text, gone, words, keys=FULL_NAME_KEYS, echo=echo)


def name_in_two_fields(rng: Random) -> Value:
    """Return first and last name for two keys."""
    who = person(rng, latin=0.7)
    first, last = (
        (who.first, who.last) if rng.random() < 0.6 else (who.first.lower(), who.last.lower())
    )
    keys = rng.choice(TWO_KEYS)
    echo = who.full if who.script == "latin" else ""
    short = who.script in {"han", "kana", "hangul"}
    words = tuple(part for part in (first, last) if not (short and len(part) < 2))
    parts = ((keys[0], first), (keys[1], last))
    return Value("name in two fields", first, (), words, parts=parts, echo=echo)


def name_introduced(rng: Random) -> Value:
    """Return a person's full name that an introduction announces, in one of eight languages."""
    who = person(rng)
    language = rng.choice(list(INTRODUCTIONS))
    text = who.full if rng.random() < 0.7 else who.full.lower()
    leads = (rng.choice(INTRODUCTIONS[language]),)
    return Value("name introduced", text, (), (who.first, who.last), leads, echo=who.full)


def email(rng: Random) -> Value:
    """Return an e-mail address."""
    first, last = handle(rng)
    mark = rng.choice([".", "_", "-", "", "."])
    local = f"{first}{mark}{last}{rng.choice(['', '', str(rng.randrange(10, 99)), '+shop'])}"
    domain = rng.choice(["example.com", "example.org", "example.net", "mail.example.com"])
    host, _, end = domain.rpartition(".")
    forms = {
        "(at)": f"{local}(at){host}(dot){end}",
        "[at]": f"{local} [at] {host} [dot] {end}",
        "<at>": f"{local} <at> {host} <dot> {end}",
        "at and dot": f"{local.replace('.', ' dot ')} at {host.replace('.', ' dot ')} dot {end}",
        "[.]": f"{local}@{host}[.]{end}",
        "spaced": f"{local} @ {host} . {end}",
        "capitals": f"{local}@{domain}".upper(),
        "angle": f"<{local}@{domain}>",
        "mailto": f"mailto:{local}@{domain}",
    }
    keys = (
        "email",
        "e mail",
        "customer email",
        "contact email address",
        "correo electronico",
        "reply to email",
        "mail",
    )
    leads = ("my mail is ", "write to ", "E-Mail: ", "courriel : ", "")
    gone = (local, local.replace(".", " dot "))
    return Value("email", f"{local}@{domain}", gone, (), leads, keys, alone=True, forms=forms)


def internal_mail(rng: Random) -> Value:
    """Return an address inside a company's own network."""
    first, last = handle(rng)
    text = f"{first}.{last}@{rng.choice(['mail.corp.internal', 'office.lan', 'srv.intranet'])}"
    return Value("internal mail", text, (f"{first}.{last}",), (), ("",), ("email",), alone=True)


_STREETS = [
    "Juniper",
    "Larkspur",
    "Thornbury",
    "Wexcombe",
    "Harrowgate",
    "Brindle",
    "Copperfield",
    "Saltmarsh",
]


def street_address(rng: Random) -> Value:
    """Return an English street with its number; it needs no word."""
    number, street = rng.randrange(101, 9899), rng.choice(_STREETS)
    kind = rng.choice(["Lane", "Street", "Avenue", "Road", "Drive", "Court"])
    text = f"{number} {street} {kind}"
    keys = (
        "address",
        "street",
        "street address",
        "address1",
        "shipping address",
        "billing address",
    )
    leads = ("I live at ", "ship it to ", "Address: ", "")
    return Value("street address", text, (f"{number} {street}",), (), leads, keys, alone=True)


def address_under_key(rng: Random) -> Value:
    """Return an address in another language's form, under its key."""
    number = rng.randrange(11, 189)
    text, word = rng.choice(
        [
            (f"Lindenblütenweg {number}", "Lindenblütenweg"),
            (f"{number} rue des Hirondelles", "Hirondelles"),
            (f"Calle Amapolas {number}, 3º B", "Amapolas"),
            (f"Via dei Gelsomini {number}", "Gelsomini"),
            (f"ul. Jarzębinowa {number}/4", "Jarzębinowa"),
            (f"Korenbloemstraat {number}", "Korenbloemstraat"),
        ]
    )
    keys = (
        "address",
        "street",
        "home address",
        "billing street",
        "adresse",
        "anschrift",
        "direccion",
        "strasse",
    )
    return Value("address under a key", text, (), (word,), keys=keys)


def zip_code(rng: Random) -> Value:
    """Return a postal code under its key."""
    text = rng.choice(
        [digits(rng, 5), f"{letters(rng, 1, 'SNEW')}{digits(rng, 1)} {digits(rng, 1)}QZ"]
    )
    keys = ("zip", "zip code", "postal code", "postcode", "billing zip code")
    return Value("postal code", text, (), (text,), keys=keys)


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def birth_date(rng: Random) -> Value:
    """Return a birth date after its word or under its key."""
    year, month, day = rng.randrange(1940, 2008), rng.randrange(1, 13), rng.randrange(13, 29)
    iso = f"{year}-{month:02}-{day:02}"
    forms = {
        "month first": f"{month:02}/{day:02}/{year}",
        "points": f"{day:02}.{month:02}.{year}",
        "day first": f"{day:02}/{month:02}/{year}",
        "in words": f"{_MONTHS[month - 1]} {day}, {year}",
        "day in words": f"{day} {_MONTHS[month - 1]} {year}",
    }
    leads = (
        "date of birth: ", "DOB: ", "born on ", "I was born on ", "birthday ", "geboren am ",
        "Geburtsdatum: ", "née le ", "date de naissance : ", "fecha de nacimiento: ",
        "data de nascimento: ", "data di nascita: ", "geboortedatum: ", "data urodzenia: ",
        "дата рождения: ", "生年月日：", "出生日期：",
    )  # fmt: skip
    keys = (
        "dob",
        "date of birth",
        "birth date",
        "birthday",
        "customer birth date",
        "geburtsdatum",
        "date naissance",
        "fecha nacimiento",
        "birthdate",
    )
    gone = (iso, *forms.values())
    return Value("birth date", iso, gone, (), leads, keys, forms=forms)


def user_id(rng: Random) -> Value:
    """Return an account's name after its word or under its key."""
    first, last = handle(rng)
    text = rng.choice([f"{first}_{last}_{digits(rng, 4)}", f"{first[0]}{last}{digits(rng, 2)}"])
    keys = ("user id", "username", "login", "customer id", "account id", "member id", "user name")
    leads = ("my user id is ", "user id: ", "username: ", "my username is ")
    return Value("user id", text, (text,), (), leads, keys)


def ip_address(rng: Random) -> Value:
    """Return an address of a block that is reserved for documentation."""
    text = f"{rng.choice(['192.0.2', '198.51.100', '203.0.113'])}.{rng.randrange(20, 254)}"
    forms = {
        "(.)": text.replace(".", "(.)"),
        "[.]": text.replace(".", "[.]"),
        "[dot]": text.replace(".", "[dot]"),
        "port": f"{text}:8443",
        "network": f"{text}/32",
    }
    keys = ("ip", "ip address", "client ip", "remote addr")
    return Value("IPv4", text, (text,), (), ("", "from "), keys, alone=True, forms=forms)


def ipv6_address(rng: Random) -> Value:
    """Return an IPv6 address of the block that is reserved for documentation."""
    groups = [letters(rng, 4, "123456789abcdef") for _ in range(4)]
    text = f"2001:db8:{groups[0]}::{':'.join(groups[1:])}"
    forms = {
        "long": f"2001:0db8:{':'.join([*groups, groups[0], groups[1]])}",
        "capitals": text.upper(),
        "brackets": f"[{text}]:8443",
    }
    return Value(
        "IPv6",
        text,
        (":".join(groups[2:]),),
        (),
        ("", "from "),
        ("ip", "ip address"),
        alone=True,
        forms=forms,
    )


def mac_address(rng: Random) -> Value:
    """Return a hardware address of the block that is reserved for documentation."""
    tail = [letters(rng, 2, "0123456789ABCDEF") for _ in range(2)]
    pairs = ["00", "00", "5E", "00", "53", *tail[:1]]
    text = ":".join(pairs)
    forms = {"dashes": "-".join(pairs), "small": text.lower()}
    return Value(
        "MAC",
        text,
        (":".join(pairs), "-".join(pairs)),
        (),
        ("", "device "),
        ("mac address", "mac"),
        alone=True,
        forms=forms,
    )


def host(rng: Random) -> Value:
    """Return the name of a machine in an internal network."""
    name = f"{rng.choice(['db', 'laptop', 'build'])}-{handle(rng)[1]}{digits(rng, 2)}"
    text = f"{name}.{rng.choice(['corp', 'prod.internal', 'intranet', 'office.lan'])}"
    return Value("internal host", text, (name,), (), ("", "on "), ("host",), alone=True)

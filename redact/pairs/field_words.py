"""Words that name fields of records, to distinguish columns of keys from columns of values."""

import re

_WORDS = re.compile(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])")
_FIELDS = frozenset(
    [
        *("name", "names", "firstname", "lastname", "fullname", "surname", "given", "family"),
        *("email", "mail", "phone", "mobile", "telephone", "tel", "fax", "address", "street"),
        *("city", "town", "state", "country", "zip", "zipcode", "postcode", "postal", "region"),
        *("dob", "birth", "birthday", "birthdate", "age", "gender", "sex", "ssn", "mrn", "nhs"),
        *("id", "uuid", "number", "no", "nr", "code", "key", "type", "kind", "status", "date"),
        *("time", "created", "updated", "passport", "license", "licence", "account", "iban", "bic"),
        *("card", "cvv", "tax", "vat", "password", "token", "secret", "user", "username", "login"),
        *("customer", "client", "patient", "passenger", "guest", "employee", "contact", "owner"),
        *(
            "order",
            "price",
            "amount",
            "total",
            "currency",
            "sku",
            "title",
            "company",
            "role",
            "ip",
            "host",
        ),
        *("vorname", "nachname", "adresse", "telefon", "geburtsdatum", "stra\u00dfe", "ort", "plz"),
        *("nom", "pr\u00e9nom", "prenom", "naissance", "ville", "courriel", "t\u00e9l\u00e9phone"),
        *(
            "nombre",
            "apellido",
            "apellidos",
            "correo",
            "tel\u00e9fono",
            "telefono",
            "direcci\u00f3n",
        ),
        *("ciudad", "nome", "cognome", "sobrenome", "telefone", "indirizzo", "endere\u00e7o"),
        *("naam", "voornaam", "achternaam", "adres", "imi\u0119", "imie", "nazwisko", "urodzenia"),
        *("\u0438\u043c\u044f", "\u0444\u0430\u043c\u0438\u043b\u0438\u044f"),
        *("\u0442\u0435\u043b\u0435\u0444\u043e\u043d", "\u0430\u0434\u0440\u0435\u0441"),
        *("\u59d3\u540d", "\u540d\u524d", "\u6c0f\u540d", "\u7535\u8bdd", "\u96fb\u8a71"),
        *("\u90ae\u7bb1", "\u5730\u5740", "\u4f4f\u6240", "\uc774\ub984", "\uc804\ud654"),
    ]
)


def is_field_name(name: str) -> bool:
    """Return whether a name contains a field word, such as `first_name` or `Telefon (privat)`."""
    return len(name) <= 60 and not _FIELDS.isdisjoint(_WORDS.sub(" ", name).lower().split())


def are_field_names(names: list[str]) -> bool:
    """Return whether names are a column of keys: at least half contain a field word."""
    return bool(names) and 2 * sum(map(is_field_name, names)) >= len(names)

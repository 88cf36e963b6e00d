"""Fills templates with invented values and marks which of them are names."""

import re
from collections.abc import Callable
from random import Random

from training.ner import outside
from training.ner.job_titles import JobTitles
from training.ner.labelled import Labelled, Mark
from training.ner.lists import Lists
from training.ner.other_values import OtherValues
from training.ner.people import People
from training.ner.places import Places

_SLOT = re.compile(r"\{(\w+)\}")
# The innermost choice: brackets without brackets inside.
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SENTENCES = (
    "The parcel never came and nobody answers.", "Please cancel everything.",
    "I will be late, so start without me.", "It does not work as described.",
    "We are looking forward to your reply.", "You can keep the change.",
    "There is nothing we can do about it now.", "Thank you for your patience.",
    "Can you send me the details again?", "I paid twice for the same thing.",
    "The new version is much faster.", "Do not forget the keys!",
    "That is what I asked for in the first place.", "Our records show no such booking.",
    "It was a pleasure doing business with you.", "Nobody told us the date had changed.",
    "Let me look into that for you.", "The window seat is gone, sorry.",
)  # fmt: skip
_FOREIGN = (
    "Merci beaucoup pour votre aide.", "Bonjour, je voudrais annuler ma commande.",
    "Je ne comprends pas la facture.", "Bien sûr, c'est tout.", "Je m'excuse pour le retard.",
    "Hola, necesito ayuda con mi pedido.", "Muchas gracias, hasta luego.",
    "No entiendo por qué me cobraron dos veces.", "Guten Tag, ich habe eine Frage.",
    "Vielen Dank für die schnelle Antwort.", "Wo bleibt meine Bestellung?",
    "Grazie mille, va bene così.", "Non funziona più niente.", "Obrigado pela ajuda.",
    "Ainda não recebi o reembolso.", "Bedankt en tot ziens.", "Tack så mycket!", "Dziękuję bardzo.",
)  # fmt: skip
_MONTHS = ("January", "May", "08/27", "11/29", "December", "03/2031")
_PLURALS = {"city": "cities", "country": "countries"}
_FIELD_NAMES = ("Order", "Case", "Ticket", "ID", "Ref", "Amount", "Status")

# What kind of slot is marked as what; a kind that is not here is no name.
LABELS = {
    "person": "PERSON", "given": "PERSON", "family": "PERSON",
    "place": "LOCATION", "city": "LOCATION", "country": "LOCATION",
    "address": "STREET_ADDRESS", "street": "STREET_ADDRESS", "zip": "ZIP_CODE",
    "org": "ORGANIZATION",
    "date": "DATE_TIME", "year": "DATE_TIME", "weekday": "DATE_TIME", "month": "DATE_TIME",
    "time": "DATE_TIME", "airport": "LOCATION",
    "age": "AGE", "nrp": "NRP", "nrps": "NRP", "group": "NRP", "post": "TITLE",
}  # fmt: skip


_SHARES = {"": 30, "en": 30, "de": 8, "fr": 6, "es": 6, "pt": 5, "it": 6, "nl": 5, "pl": 6}
"""How often a text uses the first English templates, the later ones, or another language's."""

_NO_NAMES = 0.12
"""The share of texts that are text without names, where available."""


class Templates:
    """Makes labelled texts; the same `Random` gives the same texts."""

    def __init__(self, lists: Lists) -> None:
        self._outside = lists.outside
        self._of = {
            language: lists.templates_of(language) if language else lists.templates
            for language in _SHARES
        }
        self._people = people = People(lists)
        self._places = places = Places(lists, people)
        self._others = others = OtherValues(lists, people, places)

        def word(file: str, name: str) -> Callable[[Random], str]:
            words = lists.words(file, name)
            return lambda random: random.choice(words)

        demonym, post = word("places", "demonyms"), JobTitles(lists).post
        self._makers: dict[str, Callable[[Random], str]] = {
            "person": people.any, "given": people.given, "family": people.family,
            "place": places.place, "city": places.city, "country": places.country,
            "address": places.address, "street": places.street, "zip": places.postcode,
            "org": others.organisation, "date": others.date, "year": others.year,
            "weekday": others.weekday, "month": lambda random: random.choice(_MONTHS),
            "time": others.time, "count": others.count, "digits": others.digits,
            "airport": word("places", "airports"),
            "foreign": lambda random: random.choice(_FOREIGN),
            "feature": word("words", "features"), "class": word("words", "classes"),
            "brand": word("words", "brands"), "month_name": word("words", "month_names"),
            "age": others.age, "nrp": demonym, "nrps": lambda random: f"{demonym(random)}s",
            "group": word("places", "groups"), "post": post,
            "number": others.number, "code": others.code, "phone": others.phone,
            "email": others.email, "card": others.card, "handle": others.handle,
            "thing": word("words", "things"), "lead": word("words", "lead_ins"),
            "field": word("words", "fields"), "product": word("organisations", "products"),
            "sentence": self._sentence,
            "label": lambda random: random.choice(_FIELD_NAMES),
        }  # fmt: skip

        self._local_makers: dict[str, Callable[[Random, str], str]] = {
            "person": people.any, "given": self._given, "family": self._family,
            "address": places.address, "street": places.street, "date": others.local_date,
            "text": self._text,
        }  # fmt: skip

    def text(self, random: Random) -> Labelled:
        """Return one text from one template, or one without names.

        Raises KeyError if the template has an unknown kind of slot.
        """
        if self._outside and random.random() < _NO_NAMES:
            kinds = (outside.docstrings, outside.sources, outside.other_sentences)
            return Labelled(random.choice(random.choices(kinds, (6, 2, 2))[0]()), ())
        (language,) = random.choices(list(_SHARES), list(_SHARES.values()))
        return self.of(language, random)

    def of(self, language: str, random: Random) -> Labelled:
        """Return one text from a template of a language, empty for the first English ones."""
        template = random.choice(self._of[language])
        while _CHOICE.search(template):
            template = _CHOICE.sub(lambda m: random.choice(m[1].split("|")), template)
        text, marks, end = "", [], 0
        for slot in _SLOT.finditer(template):
            text += template[end : slot.start()]
            for label, value in self._values(slot[1], random, language):
                if label:
                    marks.append(Mark(len(text), len(text) + len(value), label))
                text += value
            end = slot.end()
        return Labelled(text + template[end:], tuple(marks))

    def _values(self, kind: str, random: Random, language: str) -> list[tuple[str | None, str]]:
        """Return the pieces that replace a slot, each with its label or None."""
        if language in outside.LANGUAGES:
            return [(LABELS.get(kind), self._local(kind, random, language))]
        if kind == "titled":
            people = self._people
            name = random.choice((people.family, people.family, people.full))(random)
            return [("TITLE", people.honorific(random)), (None, " "), ("PERSON", name)]
        if kind == "person" and random.random() < 0.06:
            return self._values("titled", random, language)
        return [(LABELS.get(kind), self._makers[kind](random))]

    def _local(self, kind: str, random: Random, language: str) -> str:
        """Return a value as writers of a language write it."""
        if kind in _PLURALS and random.random() < 0.75:
            return self._places.local(random, language, _PLURALS[kind])
        if kind in self._local_makers:
            return self._local_makers[kind](random, language)
        return self._makers[kind](random)

    def _given(self, random: Random, language: str) -> str:
        return self._people.given(random, self._people.culture(random, language))

    def _family(self, random: Random, language: str) -> str:
        return self._people.family(random, self._people.culture(random, language))

    def _text(self, random: Random, language: str) -> str:
        """Return a text of a language without names."""
        return random.choice(outside.sentences(language) if self._outside else _FOREIGN)

    def _sentence(self, random: Random) -> str:
        """Return a sentence without names."""
        if self._outside and random.random() < 0.4:
            return random.choice(outside.sources())
        return random.choice(_SENTENCES)

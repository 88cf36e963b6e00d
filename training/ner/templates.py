"""Fills the templates with invented values and marks which of them are names."""

import re
from collections.abc import Callable
from random import Random

from training.ner.labelled import Labelled, Mark
from training.ner.lists import Lists
from training.ner.people import People
from training.ner.places import Places
from training.ner.posts import Posts
from training.ner.things import Things

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


class Templates:
    """Makes labelled texts; the same `Random` gives the same texts."""

    def __init__(self, lists: Lists) -> None:
        self._templates = lists.templates
        self._people = people = People(lists)
        places = Places(lists, people)
        things = Things(lists, people, places)

        def word(file: str, name: str) -> Callable[[Random], str]:
            words = lists.words(file, name)
            return lambda random: random.choice(words)

        demonym, post = word("places", "demonyms"), Posts(lists).post
        self._makers: dict[str, Callable[[Random], str]] = {
            "person": people.any, "given": people.given, "family": people.family,
            "place": places.place, "city": places.city, "country": places.country,
            "address": places.address, "street": places.street, "zip": places.postcode,
            "org": things.organisation, "date": things.date, "year": things.year,
            "weekday": things.weekday, "month": lambda random: random.choice(_MONTHS),
            "time": things.time, "count": things.count, "digits": things.digits,
            "airport": word("places", "airports"),
            "foreign": lambda random: random.choice(_FOREIGN),
            "feature": word("words", "features"), "class": word("words", "classes"),
            "brand": word("words", "brands"), "month_name": word("words", "month_names"),
            "age": things.age, "nrp": demonym, "nrps": lambda random: f"{demonym(random)}s",
            "group": word("places", "groups"), "post": post,
            "number": things.number, "code": things.code, "phone": things.phone,
            "email": things.email, "card": things.card, "handle": things.handle,
            "thing": word("words", "things"), "lead": word("words", "lead_ins"),
            "product": word("organisations", "products"),
            "sentence": lambda random: random.choice(_SENTENCES),
            "label": lambda random: random.choice(_FIELD_NAMES),
        }  # fmt: skip

    def text(self, random: Random) -> Labelled:
        """One text from one template.

        Raises KeyError if the template has a kind of slot that nobody makes.
        """
        template = random.choice(self._templates)
        while _CHOICE.search(template):
            template = _CHOICE.sub(lambda m: random.choice(m[1].split("|")), template)
        text, marks, end = "", [], 0
        for slot in _SLOT.finditer(template):
            text += template[end : slot.start()]
            for label, value in self._values(slot[1], random):
                if label:
                    marks.append(Mark(len(text), len(text) + len(value), label))
                text += value
            end = slot.end()
        return Labelled(text + template[end:], tuple(marks))

    def _values(self, kind: str, random: Random) -> list[tuple[str | None, str]]:
        """The pieces that a slot is replaced by, each with its label or none."""
        if kind == "titled":
            people = self._people
            name = random.choice((people.family, people.family, people.full))(random)
            return [("TITLE", people.honorific(random)), (None, " "), ("PERSON", name)]
        if kind == "person" and random.random() < 0.06:
            return self._values("titled", random)
        return [(LABELS.get(kind), self._makers[kind](random))]

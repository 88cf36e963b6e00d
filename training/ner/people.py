"""Invents people's names of many cultures, complete or in part, as messages contain them."""

from random import Random

from training.ner.coiner import Coiner
from training.ner.lists import Culture, Lists

# The share of given and family names that are invented rather than taken from the lists.
_COINED = 0.35
_OF_LANGUAGE = {
    "de": ("german", ("de_DE", "de_AT", "de_CH")),
    "fr": ("french", ("fr_FR", "fr_BE", "fr_CH", "fr_CA")),
    "es": ("spanish", ("es_ES", "es_MX", "es_CO", "es_AR", "es_CL")),
    "pt": ("portuguese", ("pt_BR", "pt_PT")),
    "it": ("italian", ("it_IT",)),
    "nl": ("dutch", ("nl_NL", "nl_BE")),
    "pl": ("polish", ()),
}
"""By language, the culture of the own lists and the locales of Faker."""

_INITIALS = "ABCDEFGHIJKLMNOPRSTVWYZ"


class People:
    """Makes names; all choices come from the `Random` passed to each call."""

    def __init__(self, lists: Lists) -> None:
        self._cultures = lists.cultures
        self._honorifics = lists.words("words", "honorifics")
        self._given = {name: Coiner(c.given) for name, c in self._cultures.items()}
        self._family = {name: Coiner(c.family) for name, c in self._cultures.items()}
        # English names are as frequent as those of four other cultures together.
        self._order = [*self._cultures, *["english"] * 3]

        self._of_language = {
            language: [name for name in (own, *locales) if name in self._cultures]
            for language, (own, locales) in _OF_LANGUAGE.items()
        }

    def culture(self, random: Random, language: str | None = None) -> str:
        """Return the name of a culture; four times out of five one that speaks ``language``."""
        if language in self._of_language and random.random() < 0.8:
            return random.choice(self._of_language[language])
        return random.choice(self._order)

    def given(self, random: Random, culture: str | None = None) -> str:
        """Return a given name, of a culture if one is passed."""
        culture = culture or self.culture(random)
        if random.random() < _COINED:
            return self._given[culture].word(random)
        return random.choice(self._cultures[culture].given)

    def family(self, random: Random, culture: str | None = None) -> str:
        """Return a family name, sometimes a double one."""
        culture = culture or self.culture(random)
        if random.random() < _COINED:
            name = self._family[culture].word(random)
        else:
            name = random.choice(self._cultures[culture].family)
        if random.random() < 0.03:
            return f"{name}-{random.choice(self._cultures[culture].family)}"
        return name

    def full(self, random: Random, language: str | None = None) -> str:
        """Return given and family name in one of the usual forms."""
        culture = self.culture(random, language)
        given, family = self.given(random, culture), self.family(random, culture)
        dice = random.random()
        if self._cultures[culture].family_first and dice < 0.3:
            return f"{family} {given}"
        return _written(given, family, self._cultures[culture], random)

    def any(self, random: Random, language: str | None = None) -> str:
        """Return a full name, a given name or a family name."""
        dice = random.random()
        if dice < 0.68:
            return self.full(random, language)
        culture = self.culture(random, language)
        return self.given(random, culture) if dice < 0.92 else self.family(random, culture)

    def honorific(self, random: Random) -> str:
        """Return a form of address, such as Mr. or Prof."""
        # The four usual ones make up half.
        if random.random() < 0.5:
            return random.choice(("Mr.", "Mrs.", "Ms.", "Dr."))
        return random.choice(self._honorifics)


def _written(given: str, family: str, culture: Culture, random: Random) -> str:
    """Return one of the usual forms of a full name, by their rough frequencies."""
    initial = random.choice(_INITIALS)
    forms = (
        (0.70, f"{given} {family}"),
        (0.77, f"{given} {initial}. {family}"),
        (0.83, f"{given} {initial} {family}"),
        (0.87, f"{given} {random.choice(culture.given)} {family}"),
        (0.91, f"{given} {family} {random.choice(culture.family)}"),
        (0.94, f"{given[0]}. {family}"),
        (0.96, f"{family}, {given}"),
        (0.97, f"{given} {family} {random.choice(('Jr.', 'Sr.', 'II', 'III'))}"),
        (0.985, f"{given} {family.upper()}"),
        (1.0, f"{given} {initial}."),
    )
    dice = random.random()
    return next(form for limit, form in forms if dice <= limit)

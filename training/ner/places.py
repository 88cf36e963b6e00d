"""Invents places and street addresses as several languages write them."""

from dataclasses import dataclass
from random import Random

from training.ner.coiner import Coiner
from training.ner.lists import Lists
from training.ner.people import People

_UNITS = (
    "Apt. {n}", "Apt {n}", "Apartment {n}", "Suite {n}", "Ste {n}", "Unit {n}", "Flat {n}",
    "# {n}", "Floor {n}", "Room {n}", "Apt. {n:03d}", "Suite {n:03d}", "Unit {n}B", "Apt {n}A",
)  # fmt: skip
_MILITARY = ("AA", "AE", "AP")


@dataclass(frozen=True, slots=True)
class _Region:
    """How the streets and towns of one language look; ``number_first`` puts the number first."""

    patterns: str
    words: str
    towns: str
    cultures: tuple[str, ...]
    number_first: bool


_REGIONS = (
    *[
        _Region(
            "english",
            "words_english",
            "towns_english",
            ("english", "irish_scottish"),
            number_first=True,
        )
    ]
    * 4,
    *[_Region("german", "words_german", "towns_german", ("german",), number_first=False)] * 2,
    _Region("french", "words_romance", "towns_romance", ("french",), number_first=True),
    _Region("spanish", "words_romance", "towns_romance", ("spanish",), number_first=False),
    _Region("portuguese", "words_romance", "towns_romance", ("portuguese",), number_first=False),
    _Region("italian", "words_romance", "towns_romance", ("italian",), number_first=False),
    _Region("dutch", "words_dutch", "towns_german", ("dutch",), number_first=False),
    *[_Region("nordic", "words_nordic", "towns_nordic", ("nordic",), number_first=False)] * 2,
    *[
        _Region(
            "slavic", "words_slavic", "towns_slavic", ("polish", "south_slavic"), number_first=False
        )
    ]
    * 2,
    _Region("hungarian", "words_hungarian", "towns_other", ("hungarian",), number_first=False),
    *[
        _Region(
            "other", "words_other", "towns_other", ("arabic", "greek", "turkish"), number_first=True
        )
    ]
    * 2,
)


_OF_LANGUAGE = {
    "de": "german", "fr": "french", "es": "spanish", "pt": "portuguese", "it": "italian",
    "nl": "dutch", "pl": "slavic",
}  # fmt: skip


class Places:
    """Makes names of places and addresses; all choices come from the `Random` of each call."""

    def __init__(self, lists: Lists, people: People) -> None:
        self._lists, self._people = lists, people
        names = [n for n in lists.names("places") if n.startswith("towns_")]
        self._towns = {name: lists.words("places", name) for name in names}
        self._coined_towns = {name: Coiner(words) for name, words in self._towns.items()}
        self._patterns = {r.patterns: lists.patterns("streets", r.patterns) for r in _REGIONS}
        self._words = {r.words: lists.words("streets", r.words) for r in _REGIONS}
        self._coined_words = {name: Coiner(words) for name, words in self._words.items()}

    def place(self, random: Random) -> str:
        """Return a city, town, country, region or landmark."""
        kinds = ("city", "town", "country", "region", "landmark")
        kind = random.choices(kinds, weights=(30, 34, 26, 8, 2))[0]
        if kind == "town":
            return self.town(random)
        if kind == "country":
            return self.country(random)
        file = {"city": "cities", "region": "regions", "landmark": "landmarks"}[kind]
        return random.choice(self._lists.words("places", file))

    def city(self, random: Random) -> str:
        """Return a large city or a town."""
        if random.random() < 0.45:
            return random.choice(self._lists.words("places", "cities"))
        return self.town(random)

    def local(self, random: Random, language: str, what: str) -> str:
        """Return a city or country in a language (``what`` is ``cities`` or ``countries``)."""
        return random.choice(self._lists.words("locals", f"{language}/{what}"))

    def country(self, random: Random) -> str:
        """Return a country."""
        return random.choice(self._lists.words("places", "countries"))

    def town(self, random: Random, towns: str | None = None) -> str:
        """Return a town, real or invented; one in six in capitals, as in postal addresses."""
        towns = towns or random.choice(list(self._towns))
        dice = random.random()
        if dice < 0.45:
            name = self._coined_towns[towns].word(random)
        elif dice < 0.55:
            name = self._compound_town(random, towns)
        else:
            name = random.choice(self._towns[towns])
        return name.upper() if random.random() < 0.16 else name

    def _compound_town(self, random: Random, towns: str) -> str:
        base = random.choice(self._towns[towns])
        if random.random() < 0.5:
            return f"{random.choice(self._lists.words('places', 'town_prefixes'))} {base}"
        return f"{base} {random.choice(self._lists.words('places', 'town_suffixes'))}"

    def postcode(self, random: Random) -> str:
        """Return a postal code of one of the usual shapes."""
        digits = f"{random.randrange(100_000):05d}"
        letters = "".join(random.choices("ABCDEGHKLMNPRSTW", k=4))
        shapes = (
            (0.60, digits),
            (0.75, digits[:4]),
            (0.80, f"{digits}-{random.randrange(10_000):04d}"),
            (0.88, f"{letters[:2]}{digits[0]} {digits[1]}{letters[2:]}"),
            (0.93, f"{letters[0]}{digits[0]}{letters[1]} {digits[1]}{letters[2]}{digits[2]}"),
            (0.96, f"{digits[:3]} {digits[3:]}"),
            (1.0, f"{digits[:2]}-{digits[2:]}"),
        )
        dice = random.random()
        return next(shape for limit, shape in shapes if dice <= limit)

    def street(self, random: Random, language: str | None = None) -> str:
        """Return a street with a house number, nothing more."""
        return self._street(random, _region(random, language))

    def address(self, random: Random, language: str | None = None) -> str:
        """Return an address, from street and number up to a complete postal address, or a box."""
        dice = 1.0 if language else random.random()
        if dice < 0.09:
            return self._box(random)
        if dice < 0.115:
            return self._corner(random)
        region = _region(random, language)
        parts = [self._street(random, region)]
        if random.random() < 0.35:
            unit = random.choice(_UNITS).format(
                n=random.choice((random.randrange(1, 40), random.randrange(100, 999)))
            )
            parts.append(unit)
        if random.random() < 0.62:
            parts += self._locality(random, region)
        separator = random.choices((", ", " ", "\n", "\n "), weights=(40, 22, 26, 12))[0]
        return separator.join(parts)

    def _street(self, random: Random, region: _Region) -> str:
        dice = random.random()
        if dice < 0.40:
            word = random.choice(self._words[region.words])
        elif dice < 0.55:
            word = self._coined_words[region.words].word(random)
        elif dice < 0.65:
            word = random.choice(self._towns[region.towns])
        elif dice < 0.85:
            word = self._people.family(random, random.choice(region.cultures))
        else:
            culture = random.choice(region.cultures)
            word = f"{self._people.given(random, culture)} {self._people.family(random, culture)}"
        street = random.choice(self._patterns[region.patterns]).replace("{n}", word)
        number = _house_number(random)
        dice = random.random()
        if dice < 0.04:
            return f"{number} {random.randrange(1, 150)} {street}"
        if dice < 0.08:
            return f"{random.randrange(10, 99_999)} {street} {number}"
        first = region.number_first if dice < 0.9 else not region.number_first
        return f"{number} {street}" if first else f"{street} {number}"

    def _locality(self, random: Random, region: _Region) -> list[str]:
        town, code = self.town(random, region.towns), self.postcode(random)
        state = random.choice(self._lists.words("places", "state_codes"))
        forms = (
            [town],
            [f"{town}, {state} {code}"],
            [f"{town} {state} {code}"],
            [f"{code} {town}"],
            [f"{town} {code}"],
            [town, self.country(random)],
            [town, f"{self.country(random)} {code}"],
            [f"{code} {town}", self.country(random)],
            [town, random.choice(self._lists.words("places", "regions")), code],
        )
        return random.choice(forms)

    def _corner(self, random: Random) -> str:
        region = random.choice(_REGIONS)
        one, two = self._street(random, region), self._street(random, region)
        return f"corner of {one} and {two}"

    def _box(self, random: Random) -> str:
        box, code = random.randrange(1, 9999), f"{random.randrange(100_000):05d}"
        military = f"{random.choice(('APO', 'DPO', 'FPO'))} {random.choice(_MILITARY)} {code}"
        separator = random.choice((", ", "\n", " "))
        forms = (
            f"P.O. Box {box}",
            f"PO Box {box}{separator}{self.town(random)}",
            f"P.O. Box {box}{separator}{self.town(random)} {code}",
            f"Box {box}{separator}{self.town(random)}, {self.country(random)}",
            f"PSC {random.randrange(10_000):04d}, Box {box:04d}{separator}{military}",
            f"Unit {random.randrange(10_000):04d} Box {box:04d}{separator}{military}",
            f"USS {self._people.family(random)}{separator}{military}",
        )
        return random.choice(forms)


def _region(random: Random, language: str | None) -> _Region:
    """Return a region, one of a language if one is passed."""
    patterns = _OF_LANGUAGE.get(language or "")
    return random.choice([r for r in _REGIONS if patterns in (None, r.patterns)])


def _house_number(random: Random) -> str:
    dice = random.random()
    if dice < 0.45:
        return str(random.randrange(1, 200))
    if dice < 0.75:
        return str(random.randrange(100, 9999))
    if dice < 0.85:
        return f"{random.randrange(100_000):05d}"
    if dice < 0.93:
        return f"{random.randrange(1, 200)}{random.choice(('a', 'b', 'A', 'B', ' C', 'bis'))}"
    return f"{random.randrange(1, 99)}{random.choice('-/')}{random.randrange(1, 99)}"

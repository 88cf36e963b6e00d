"""Invents organisations, dates and ages, and identifiers that are not names."""

from datetime import datetime, timedelta
from random import Random

from training.ner.lists import Lists
from training.ner.people import People
from training.ner.places import Places

_EPOCH = datetime(1940, 1, 1)  # noqa: DTZ001  a date that is only written, never reckoned with
_DAYS = 36_500
_DATE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%y", "%m/%d/%y",
    "%B %d, %Y", "%d %B %Y", "%b %d, %Y", "%d %b %Y", "%B %d", "%d %B", "%B %Y", "%b %Y",
    "%A", "%A, %B %d", "%a %d %b", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M",
    "%A, %d %B %Y", "%B", "%d-%b-%Y", "%Y/%m/%d", "%m/%d",
)  # fmt: skip
_DATE_WORDS = {"de": (".", " "), "es": ("", " de "), "pt": ("", " de ")}
_HEX = "0123456789abcdef"
_UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class OtherValues:
    """Makes organisations, dates and identifiers; all choices come from the `Random` of a call."""

    def __init__(self, lists: Lists, people: People, places: Places) -> None:
        self._lists, self._people, self._places = lists, people, places
        self._institutions = lists.patterns("organisations", "institutions")

    def organisation(self, random: Random) -> str:
        """Return a company, institution or authority."""
        makers = (self._of_families, self._coined, self._famous, self._institution, self._of_words)
        return random.choices(makers, weights=(38, 26, 10, 14, 12))[0](random)

    def _suffix(self, random: Random) -> str:
        name = "suffixes" if random.random() < 0.75 else "suffix_pairs"
        return random.choice(self._lists.words("organisations", name))

    def _of_families(self, random: Random) -> str:
        culture = self._people.culture(random)
        first, second, third = (self._people.family(random, culture) for _ in range(3))
        forms = (
            f"{first}, {second} and {third}",
            f"{first}-{second}",
            f"{first} {self._suffix(random)}",
            f"{first} and {second}",
            f"{first} & {second}",
            f"{first} and Sons",
            f"{first} Bros.",
            f"{first}'s",
            f"{first} {second} {self._suffix(random)}",
            f"{first} & {second} {self._suffix(random)}",
        )
        return random.choices(forms, weights=(20, 18, 22, 6, 5, 6, 2, 3, 9, 9))[0]

    def _coined(self, random: Random) -> str:
        start = random.choice(self._lists.words("organisations", "coined_starts"))
        end = random.choice(self._lists.words("organisations", "coined_ends"))
        dice = random.random()
        if dice < 0.3:
            end = end.title()
        name = f"{start}{end}" if dice < 0.85 else f"{start} {end.title()}"
        return f"{name} {self._suffix(random)}" if random.random() < 0.4 else name

    def _famous(self, random: Random) -> str:
        return random.choice(self._lists.words("organisations", "famous"))

    def _institution(self, random: Random) -> str:
        return random.choice(self._institutions).format(
            p=self._places.city(random),
            f=self._people.given(random),
            l=self._people.family(random),
            t=random.choice(self._lists.words("organisations", "topics")),
        )

    def _of_words(self, random: Random) -> str:
        words = self._lists.words("streets", "words_english")
        return f"{random.choice(words)} {random.choice(words)} {self._suffix(random)}"

    def date(self, random: Random) -> str:
        """Return a date in one of the usual formats, sometimes with the time of day."""
        day = _EPOCH + timedelta(days=random.randrange(_DAYS), seconds=random.randrange(86_400))
        text = day.strftime(random.choice(_DATE_FORMATS))
        # People leave out the leading zeros: 3/4/1990.
        return text.replace("/0", "/").lstrip("0") if random.random() < 0.4 else text

    def local_date(self, random: Random, language: str) -> str:
        """Return a date as a language writes it, in digits or with the name of the month."""
        day = _EPOCH + timedelta(days=random.randrange(_DAYS))
        month = random.choice(self._lists.words("locals", f"{language}/months"))
        dot, of = _DATE_WORDS.get(language, ("", " "))
        forms = (
            day.strftime("%d.%m.%Y"),
            day.strftime("%d/%m/%Y"),
            day.strftime("%d-%m-%Y"),
            f"{day.day}.{day.month}.",
            f"{day.day}{dot}{of}{month}{of}{day.year}",
            f"{day.day}{dot}{of}{month}",
        )
        return random.choice(forms)

    def year(self, random: Random) -> str:
        """Return a year, or a span of them."""
        year = random.randrange(1850, 2030)
        return f"{year}s" if random.random() < 0.06 else str(year)

    def weekday(self, random: Random) -> str:
        """Return a day of the week."""
        return (_EPOCH + timedelta(days=random.randrange(7))).strftime("%A")

    def time(self, random: Random) -> str:
        """Return a time of day."""
        hour, minute = random.randrange(24), random.choice((0, 0, 0, 5, 15, 30, 45))
        zone = random.choice(("", "", "", " EST", " PST", " GMT", " CET", " UTC"))
        half = random.choice(("AM", "PM", "am", "pm"))
        forms = (
            f"{hour:02d}:{minute:02d}{zone}",
            f"{hour % 12 + 1}:{minute:02d} {half}{zone}",
            f"{hour % 12 + 1:02d}:{minute:02d} {half}{zone}",
            f"{hour % 12 + 1} {half}{zone}",
            f"{hour % 12 + 1}{half}{zone}",
        )
        return random.choice(forms)

    def age(self, random: Random) -> str:
        """Return an age in years."""
        return str(random.randrange(1, 100))

    def number(self, random: Random) -> str:
        """Return a number that is no name: a count, a price, an order number."""
        dice = random.random()
        if dice < 0.3:
            return str(random.randrange(1, 1000))
        if dice < 0.5:
            return f"${random.randrange(1, 3000)}.{random.randrange(100):02d}"
        if dice < 0.7:
            return f"#{random.randrange(10_000, 10_000_000)}"
        return str(random.randrange(10**6, 10**10))

    def count(self, random: Random) -> str:
        """Return a small number of things."""
        return str(random.choice((random.randrange(1, 10), random.randrange(1, 100))))

    def digits(self, random: Random) -> str:
        """Return four to seven digits: the last ones of a card, a certificate, a ticket."""
        return "".join(random.choices("0123456789", k=random.choice((4, 4, 4, 5, 6, 7))))

    def code(self, random: Random) -> str:
        """Return an identifier that is no name: a booking reference, a flight, a serial number."""
        upper = "".join(random.choices(_UPPER, k=6))
        forms = (
            upper,
            f"{upper[:2]}{random.randrange(100, 9999)}",
            f"{upper[:3]}-{random.randrange(1000, 99_999)}",
            f"{upper[:3]}{random.randrange(1000):03d}",
            "".join(random.choices(_HEX, k=12)),
            f"{upper[:2]}{random.randrange(10**9)}",
        )
        return random.choice(forms)

    def phone(self, random: Random) -> str:
        """Return a telephone number in a common format."""
        d = "".join(random.choices("0123456789", k=10))
        forms = (
            f"({d[:3]}) {d[3:6]}-{d[6:]}",
            f"{d[:3]}-{d[3:6]}-{d[6:]}",
            f"+{random.randrange(1, 99)} {d[:3]} {d[3:6]} {d[6:]}",
            f"0{d[:3]} {d[3:5]} {d[5:7]} {d[7:9]}",
            f"{d[:3]} {d[3:]}",
            d,
        )
        return random.choice(forms)

    def email(self, random: Random) -> str:
        """Return an e-mail address."""
        given_name, family_name = self._people.given(random), self._people.family(random)
        local = random.choice(
            (
                f"{given_name}.{family_name}",
                f"{given_name}{family_name}",
                f"{given_name[0]}{family_name}",
            )
        )
        host = random.choice(("example.com", "mail.example", "post.example.org", "example.net"))
        return f"{local}@{host}".replace(" ", "").replace("'", "")

    def card(self, random: Random) -> str:
        """Return a row of digits as long as a payment card's."""
        digits = "".join(random.choices("0123456789", k=random.choice((15, 16, 16, 16))))
        return (
            " ".join((digits[:4], digits[4:8], digits[8:12], digits[12:]))
            if random.random() < 0.4
            else digits
        )

    def handle(self, random: Random) -> str:
        """Return a user name, web address or IBAN: which other detectors find."""
        given_name, family_name = self._people.given(random), self._people.family(random)
        name = f"{given_name}_{family_name}_{random.randrange(1000, 9999)}".lower().replace(
            " ", "_"
        )
        forms = (
            name,
            f"https://www.{given_name}{family_name}.example/".replace(" ", ""),
            f"www.{family_name}-shop.example".replace(" ", "").lower(),
            f"GB{random.randrange(10, 99)}ABCD{random.randrange(10**13, 10**14)}",
            f"{random.randrange(1, 255)}.{random.randrange(255)}.{random.randrange(255)}.7",
        )
        return random.choice(forms)

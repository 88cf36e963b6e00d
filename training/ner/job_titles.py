"""Invents job titles, from plain ones to those of large companies."""

from random import Random

from training.ner.lists import Lists

_RANKS = (
    "assistant", "senior", "junior", "deputy", "chief", "lead", "regional", "head", "associate",
    "global", "executive", "trainee", "part-time",
)  # fmt: skip
_ROLES = (
    "clerk", "manager", "technician", "operator", "attendant", "supervisor", "specialist",
    "installer", "worker", "teacher", "engineer", "inspector", "officer", "director", "adviser",
    "agent", "assistant", "coordinator", "repairer", "driver", "consultant", "analyst", "helper",
)  # fmt: skip


class JobTitles:
    """Makes job titles; all choices come from the `Random` of a call."""

    def __init__(self, lists: Lists) -> None:
        self._plain = lists.words("words", "posts")
        self._fields = lists.words("words", "fields")

    def post(self, random: Random) -> str:
        """Return a job title: plain, with a capital, or with capitals on each word."""
        name = self._name(random)
        return random.choice((name, name, name.capitalize(), name.title()))

    def _name(self, random: Random) -> str:
        dice = random.random()
        if dice < 0.5:
            return random.choice(self._plain)
        first, second, third = (random.choice(self._fields) for _ in range(3))
        role = random.choice(_ROLES)
        if dice < 0.72:
            return f"{first} {role}"
        if dice < 0.80:
            return f"{random.choice(_RANKS)} {first} {role}"
        if dice < 0.88:
            return f"{random.choice(_RANKS)} {random.choice(self._plain)}"
        if dice < 0.96:
            return f"{first} and {second} {role}"
        return f"{first}, {second}, and {third} {role}"

"""People in prose whom the words around them give away: introductions, titles, accounts, ages.

What people write after `my name is` is a name, whatever it looks like; after `I'm` or `this is` it
is one if it is known as a given name or looks like a full name.
"""

import json
import re
from importlib import resources
from typing import Final

from presidio_analyzer import Pattern, PatternRecognizer

from redact.given_names import is_given_name

_LETTER = r"[^\W\d_]"
_TAIL = rf"(?:['\u2019-]{_LETTER}{{1,20}})*"
_SMALL = r"(?![a-z\u00df-\u00f6\u00f8-\u00ff\u0430-\u044f\u0451\u03ac-\u03ce])"
_CAPITAL = rf"{_SMALL}{_LETTER}{{1,24}}{_TAIL}"
_PARTICLE = (
    r"(?:de la|de las|de los|van der|van den|von der|of the|de|del|della|di|da|do|dos|das|du|van|von|"
    r"zu|ter|ten|la|le|el|al|bin|ibn|ben|y|e)"
)
_BETWEEN = rf"(?:[ ](?:[A-Z]\.[ ]?)?|[ ]{_PARTICLE}[ ]|-)"
_FULL = rf"{_CAPITAL}(?:{_BETWEEN}{_CAPITAL}){{0,3}}"
_STOP = (
    r"(?!(?i:and|und|y|et|e|en|ed|i|ich|je|yo|eu|io|ik|ja|but|aber|pero|mais|ma|maar|ale|or|with|mit|"
    r"con|avec|com|met|from|aus|von|de|da|z|of|for|f\u00fcr|para|pour|per|voor|dla|at|in|on|to|the|a|an|"
    r"my|your|our|his|her|their|this|that|these|what|which|who|is|are|was|am|it|its|so|not|no|yes|"
    r"please|bitte|calling|and|here|there|now|also|too|still|just|only|about|because|if|when|as|by|"
    r"than|then|have|has|had|will|would|can|could|may|might|should|must|do|does|did|want|need|like|"
    r"been|being|be|spelled|spelt|misspelled|wrong|incorrect|different|missing|listed|showing|"
    r"changed|correct|required|mandatory|optional|invalid|valid|unknown|empty|null|none|string|"
    r"redacted|anonymous|user|customer)(?![^\W\d_]))"
)
_ANY = rf"{_STOP}{_LETTER}{{2,24}}{_TAIL}"
_ANY_FULL = rf"{_ANY}(?:(?:[ ][A-Z]\.)?[ ](?:{_PARTICLE}[ ])?{_ANY}){{0,2}}"
_GAP = r"[\s:]{1,3}[\"'*_`\u201c\u2018(\[]{0,3}"

_NAMED = (
    r"(?:my (?:full |first |last |given |legal |real |middle |family |nick)?name(?: is|'s|\u2019s|:)|"
    r"(?:the|his|her|their) name(?: is|'s|\u2019s)|i am called|i'm called|i\u2019m called|"
    r"people call me|they call me|you can call me|please call me|goes by the name(?: of)?|"
    r"mein (?:voller )?name ist|mein name:|ich hei(?:\u00df|ss)e|"
    r"me llamo|mi nombre(?: completo)? es|se llama|"
    r"je m(?:'|\u2019| )appelle|mon nom est|mon pr\u00e9nom est|il s(?:'|\u2019)appelle|elle s(?:'|\u2019)appelle|"
    r"meu nome \u00e9|me chamo|chamo-me|o meu nome \u00e9|"
    r"mi chiamo|il mio nome \u00e8|si chiama|"
    r"mijn naam is|ik heet|"
    r"nazywam si\u0119|mam na imi\u0119|moje nazwisko to|"
    r"jag heter|mitt namn \u00e4r|jeg hedder|jeg heter|mit navn er|nimeni on|ben(?:im)? ad\u0131m|"
    r"numele meu este|m\u0103 numesc|jmenuji se|meu apelido \u00e9|"
    r"\u043c\u0435\u043d\u044f \u0437\u043e\u0432\u0443\u0442|\u043c\u043e\u0451 \u0438\u043c\u044f|\u043c\u043e\u0435 \u0438\u043c\u044f|\u043c\u0435\u043d\u0435 \u0437\u0432\u0430\u0442\u0438)"
)
_SIGNED = (
    r"(?:sincerely|(?:kind |best |warm |warmest )?regards|best wishes|all the best|cheers|yours(?: truly)?|"
    r"signed|many thanks|thanks|thank you|mit freundlichen gr\u00fc(?:\u00df|ss)en|(?:viele|liebe|beste|sch\u00f6ne) gr\u00fc(?:\u00df|ss)e|"
    r"saludos|atentamente|un saludo|cordialement|bien \u00e0 vous|amicalement|atenciosamente|"
    r"cumprimentos|abra\u00e7os?|cordiali saluti|distinti saluti|met vriendelijke groet(?:en)?|groetjes|"
    r"z powa\u017caniem|pozdrawiam)"
)
_LABELLED = r"(?:attn|attention|c/o|f\.?a\.?o\.?|z\.?\s?hd\.?)"
_PRESENTED = (
    r"(?:i'm|i\u2019m|i am|im|this is|it's|it\u2019s|it is|hier ist|hier spricht|ich bin|soy|habla|je suis|"
    r"c'est|c\u2019est|ici|sono|parla|sou o|sou a|sou|aqui \u00e9|aqui fala|ik ben|je spreekt met|met|jestem|"
    r"tu m\u00f3wi|speaking with|spoke with|spoke to|talked to|speaking to|"
    r"(?:dear|hi|hello|hey|hallo|hola|bonjour|salut|ciao|ol\u00e1|oi|beste|liebe|lieber|sehr geehrter?|estimad[oa]|"
    r"querid[oa]|cher|ch\u00e8re|caro|cara|cze\u015b\u0107|witam|good (?:morning|afternoon|evening))[,]?)"
)
_TITLED = (
    r"(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Sir|Madam|Rev|Herr|Frau|Se\u00f1or|Se\u00f1ora|Sr|Sra|Srta|Mme|Mlle|Monsieur|"
    r"Madame|Sig|Sig\.ra|Signor|Signora|Dhr|Mevr|Mevrouw|Meneer|Pani?|Fru|Hr)"
)

_EVERYDAY: Final = frozenset(
    json.loads((resources.files("redact") / "everyday_words.json").read_text(encoding="utf-8"))
)
_WORDS: Final = re.compile(r"[^\W\d_]+")
CERTAIN: Final = 0.9
"""The score of a name that words around it give away: more than a model's, whatever it calls it."""


class IntroducedRecogniser(PatternRecognizer):
    """Finds the name after `my name is` and the like, below a letter, and after a title."""

    PATTERNS = (
        Pattern("Named", rf"(?<=(?<![^\W_])(?i:{_NAMED}){_GAP}){_ANY_FULL}", CERTAIN),
        Pattern("Labelled", rf"(?<=(?<![^\W_])(?i:{_LABELLED})[.:]?[ ]{{1,2}}){_FULL}", CERTAIN),
        Pattern(
            "Signed",
            rf"(?<=(?<![^\W_])(?i:{_SIGNED})[,.!]?[ ]?\n[\s*_-]{{0,3}}){_FULL}(?=\s*(?:\n|\Z|[,|(]))",
            CERTAIN,
        ),
        Pattern("Titled", rf"(?<=(?<![^\W_]){_TITLED}\.?[ ]){_FULL}", CERTAIN),
        Pattern("Titled, small", rf"(?<=(?<![^\W_])(?:mr|mrs|ms|dr|herr|frau)\.?[ ]){_ANY}", 0.6),
        Pattern(
            "Named in Japanese",
            r"(?:(?<=\u79c1\u306e\u540d\u524d\u306f|.\u540d\u524d\u306f)[^\W\d_]{2,10}?(?=\u3067\u3059|\u3068\u7533|\u3068\u3044|[\u3002\u3001,.!]|\Z))"
            r"|(?:[\u4e00-\u9fff\u3005\u30a0-\u30ff]{2,8}(?=\u3068\u7533\u3057\u307e\u3059|\u3068\u3044\u3044\u307e\u3059))",
            CERTAIN,
        ),
        Pattern(
            "Named in Chinese",
            r"(?<=\u6211\u53eb|\u540d\u5b57\u662f|\u540d\u5b57\u53eb|\u59d3\u540d\u662f|\u59d3\u540d[:\uff1a])\s?[\u4e00-\u9fff\u00b7]{2,4}",
            CERTAIN,
        ),
        Pattern(
            "Named in Korean",
            r"(?<=\uc774\ub984\uc740\s?)[\uac00-\ud7a3]{2,5}?(?=\uc785\ub2c8\ub2e4|\uc774\uc5d0\uc694|\uc608\uc694|\uc774\uace0|[\s.,!]|\Z)",
            CERTAIN,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Introduced",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse everyday words in small letters: `my name is correct`."""
        return pattern_text.islower() and pattern_text.partition(" ")[0] in _EVERYDAY


class PresentedRecogniser(PatternRecognizer):
    """Finds a given name after `I'm`, `this is`, `hello` and the like, with what goes on from it."""

    PATTERNS = (
        Pattern("Presented", rf"(?<=(?<![^\W_])(?i:{_PRESENTED})[ ]){_FULL}", CERTAIN),
        Pattern(
            "Presented, small", rf"(?<=(?<![^\W_])(?i:{_PRESENTED})[ ]){_ANY}(?:[ ]{_ANY})?", 0.7
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Presented",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse what does not begin with a given name."""
        first = _WORDS.search(pattern_text)
        return first is None or not is_given_name(first[0])


class AccountRecogniser(PatternRecognizer):
    """Finds the account's name after `user id is` and the like."""

    PATTERNS = (
        Pattern(
            "After its label",
            r"(?<=\b(?:user|customer|member|account|login|client)[ _-]?(?:id|name|number|no\.?)"
            r"(?:[ ](?:is|was)[ ]|[ ]?[:=#][ ]?|[ ])[\"'`*]{0,3})"
            r"(?=[\w.@-]{0,40}[0-9_])[\w][\w.@-]{2,40}[\w]",
            0.7,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="USER_ID", patterns=list(self.PATTERNS), name="AccountName"
        )


class AgeRecogniser(PatternRecognizer):
    """Finds ages that are said to be ages."""

    PATTERNS = (
        Pattern("Years old", r"(?<![\w.])[1-9][0-9]?[0-9]?(?=[ -]years?[ -]old\b)", 0.7),
        Pattern("Aged", r"(?<=\b(?:aged?|turn(?:ed|ing)|age[ ]is|age[ ]of)[ :])[1-9][0-9]?\b", 0.6),
    )

    def __init__(self) -> None:
        super().__init__(supported_entity="AGE", patterns=list(self.PATTERNS), name="Age")

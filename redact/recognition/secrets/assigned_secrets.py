"""Recognisers for secrets after a key, or after a word in a sentence, that announces them.

A password may be any word, so the text after the announcement counts unless it continues the
sentence or refers to a variable. Keys and tokens count if they look random.
"""

from redact.lexical.dummy_secrets import is_dummy_secret, is_sentence_word, reads_like_prose
from redact.lexical.randomness import entropy, looks_secret, reads_like_words
from redact.recognition.secrets.announcement import AnnouncedSecretRecogniser
from redact.recognition.secrets.announcing_words import (
    ASSIGNED,
    COLON,
    FOREIGN_IS,
    FOREIGN_KEYS,
    FOREIGN_PASSWORDS,
    IS,
    KEYS,
    NUMBER,
    PASSWORDS,
    PURPOSE,
    ROLE,
    SHORT_PASSWORDS,
)

_PASSWORD = rf"(?:{PASSWORDS})"
_KEY = rf"(?:{KEYS})"

_GOES_ON = r"[,;&](?![\s,;&]|[\w .-]{1,40}[=:]|\Z)"
_BARE = rf"(?:[^\s\"'`,;<>&|]|{_GOES_ON}|(?<=\w)'(?=\w)){{2,200}}(?<![.,:)\]}}?\\])"
_MIXED = rf"(?=[^\W\d_]{{0,60}}[^\s\"'`,;<>&|A-Za-z\u0080-\uffff]){_BARE}"
"""A value without quotes, and one that holds a digit or a mark."""

_WORD = r"[^\W\d_]{3,40}"
_ALONE = r"(?=[.!]?(?:[ \t]*(?:[\r\n,;|)\]}\"'<&#]|\\n|\Z|[ ]{2})|[ \t]{1,4}[\w.-]{1,30}[:=]))"
"""No sentence follows: the line ends, or another key begins."""

_OPENING = r"(?:\\{0,3}[\"'`\u201c\u300c])?"
_NOT_CODE = r"(?![\s)\]},;:])(?!\+(?!(?=[A-Za-z/+]{0,24}[0-9])[A-Za-z0-9/+]{16}))"
"""What may follow a closed quotation in source code; base64 may begin with a plus."""


def _between_quotes(opening: str, closing: str) -> str:
    r"""Return an expression for the text between quotes, which may be escaped as `\"`."""
    return (
        rf"(?<=[{opening}]){_NOT_CODE}(?:[^{closing}\\\n]|\\(?!\\{{0,2}}[{closing}])){{1,200}}"
        rf"(?=\\{{0,3}}[{closing}])"
    )


_QUOTED = "|".join(
    _between_quotes(opening, closing)
    for opening, closing in (('"', '"'), ("'", "'"), ("`", "`"), ("\u201c\u300c", "\u201d\u300d"))
)
_NEXT_KEY = r"(?!(?<==[ ]{1,3})[\w.-]{1,40}=)"
"""No value is assigned: another key follows, as in `password= took=12ms`."""
_VALUE = rf"(?:{_QUOTED}|{_NOT_CODE}{_NEXT_KEY}{_MIXED})"
"""A value in quotes of any kind, or an unquoted one that is more than a word."""


class AssignedPasswordRecogniser(AnnouncedSecretRecogniser):
    """Finds a value assigned to a password: in quotes, or unquoted and more than a word."""

    EXPRESSIONS = (
        rf"(?<={_PASSWORD}{ROLE}{PURPOSE}{ASSIGNED}{_OPENING}){_VALUE}",
        rf"(?<=(?:{SHORT_PASSWORDS}){NUMBER}{ASSIGNED}{_OPENING}){_VALUE}",
        rf"(?<=<(?:[\w.-]{{0,40}}[:._-])?{_PASSWORD}(?:\s[^<>]{{0,80}})?>)[^<>\n]{{3,200}}(?=</)",
        rf"(?<=(?:key|name|id)=[\"'][\w.:-]{{0,40}}{_PASSWORD}[\"'][^<>]{{0,40}}value=[\"'])"
        rf"[^\"'<>]{{1,200}}",
        r"(?<=\b(?:identified[ ]by|password)[ ]{1,3}')[^'\n]{1,100}(?=')",
        rf"(?<={_PASSWORD}[ ]:[ ](?:str|string|secretstr|text)[ ]?=[ ]?[\"'])[^\"'\n]{{1,100}}",
        rf"(?<={_PASSWORD}:[ ]?(?:str|string|secretstr|text)[ ]?=[ ]?[\"'])[^\"'\n]{{1,100}}",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and sentences."""
        return is_dummy_secret(pattern_text) or reads_like_prose(pattern_text)


class AssignedWordRecogniser(AnnouncedSecretRecogniser):
    """Finds a password of one or a few words that no sentence continues."""

    EXPRESSIONS = (
        rf"(?<={_PASSWORD}{ROLE}{PURPOSE}{COLON}){_WORD}(?:[ ]{_WORD}){{0,7}}{_ALONE}",
        rf"(?<={_PASSWORD}{ROLE}{PURPOSE}{ASSIGNED}){_WORD}{_ALONE}",
        rf"(?<=(?-i:SECRET(?:_KEY)?)=[\"']?){_BARE}",
        rf"(?<={_PASSWORD}{ROLE}={{1,2}}){_WORD}(?![\w.(\[])",
        rf"(?<=(?:{SHORT_PASSWORDS}|(?<![a-z])secret){NUMBER}={{1,2}}){_WORD}(?![\w.(\[])",
        rf"(?<=\blogin[ ][^\s]{{1,60}}\s{{1,4}}password[ ]){_BARE}",
        rf"(?<=(?:\A|[\n,;|(])[ \t]{{0,4}}(?:pass|pw|psw|pswd|mdp|heslo|geslo)[ ]?:[ ]{{1,2}})"
        rf"{_WORD}{_ALONE}",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, and words that continue a sentence or name a type."""
        return is_dummy_secret(pattern_text) or reads_like_prose(pattern_text)


class StatedPasswordRecogniser(AnnouncedSecretRecogniser):
    """Finds the password that a sentence states: `the password is hunter2`."""

    EXPRESSIONS = (
        rf"(?<={_PASSWORD}{PURPOSE}{IS}{_OPENING})"
        rf"(?!\d+[ ](?:char|digit|bit|byte|day|hour|letter|min|sec)){_VALUE}",
        rf"(?<=\b(?:my|your|our|the|his|her|their|its|wi-?fi|new|old|current|default|temporary|"
        rf"admin"
        rf"|root|initial|master|guest)[ ](?:[\w'-]{{1,20}}[ ]){{0,2}}{_PASSWORD}{PURPOSE}[ ](?:is|"
        rf"was)[ ])"
        r"[^\W\d_]{4,30}(?=[.!,;]?(?:\s*\Z|[\"'\n)])|[.!;,][ ]|[ ](?:and|but|please|thanks|so)\b)",
        rf"(?<={_PASSWORD}(?:en|et|a)?[ ](?:is|was|lautet|ist|war|es|est|e|\u00e9|\u00e8|to|jest|"
        rf"brzmi|\u00e4r|er|on)[ ][\"'`\u201c]?)[^\W\d_]{{4,30}}"
        r"(?=[\"'`\u201d]?[.!]?[ \t]*(?:[\r\n]|\Z))",
        r"(?<=\b(?:us(?:e|ing)|with|enter|type|try)[ ][\"'`\u201c]?)"
        r"(?=[^\s\d]{0,40}\d)[^\s\"'`,;<>|]{4,100}"
        rf"(?=[\"'`\u201d]?[ ]as[ ](?:(?:the|your|a|my|our|new|temporary)[ ]){{0,2}}{_PASSWORD})",
        rf"(?<=(?<![\w.-])(?:{PASSWORDS}|pw)[ ])(?=[^\s\d]{{0,40}}\d)(?=[\d\W_]{{0,40}}[a-z])"
        rf"[^\s\"'`,;<>&|=:(){{}}]{{6,100}}"
        r"(?<![.?!])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, and words that continue the sentence."""
        if is_dummy_secret(pattern_text) or reads_like_prose(pattern_text):
            return True
        return " " not in pattern_text and is_sentence_word(pattern_text)


class ForeignPasswordRecogniser(AnnouncedSecretRecogniser):
    """Finds passwords announced in other scripts: a sign or a verb (`is`), then the value."""

    EXPRESSIONS = (
        rf"(?<=(?:{FOREIGN_PASSWORDS})[^\W\d_]{{0,2}}[\"'*]{{0,2}}{FOREIGN_IS}[ ]{{0,2}})"
        r"[!-&(-;=?-~]{4,100}(?<![.,:;)\]?!])",
        rf"(?<=(?:{FOREIGN_PASSWORDS})[\"'*]{{0,2}}[ ]?[:=\uff1a\uff1d][ ]{{0,2}})[^\W\d_]{{4,30}}"
        r"(?=[ \t]*(?:[\r\n,;|)\"'<]|\Z))",
        rf"(?<=(?:{FOREIGN_PASSWORDS})[ ])(?=[!-~]{{0,40}}[0-9])(?=[!-~]{{0,40}}[A-Za-z])"
        r"[!-&(-;=?-~]{6,100}(?<![.,:;)\]?!])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and type names."""
        return is_dummy_secret(pattern_text) or reads_like_prose(pattern_text)


class AssignedKeyRecogniser(AnnouncedSecretRecogniser):
    """Finds random-looking values after a key, a token or a secret, in any kind of assignment."""

    EXPRESSIONS = (
        rf"(?<={_KEY}{ROLE}{PURPOSE}(?:{ASSIGNED}|{IS}){_OPENING}){_VALUE}",
        rf"(?<=(?:{FOREIGN_KEYS})[\"'*]{{0,2}}{FOREIGN_IS}[ ]{{0,2}})[!-&(-;=?-~]{{8,200}}"
        rf"(?<![.,:;)\]?!])",
        rf"(?<=<(?:[\w.-]{{0,40}}[:._-])?{_KEY}(?:\s[^<>]{{0,80}})?>)[^<>\s]{{6,200}}(?=</)",
        rf"(?<=(?:key|name|id)=[\"'][\w.:-]{{0,40}}{_KEY}[\"'][^<>]{{0,40}}value=[\"'])"
        rf"[^\"'<>]{{6,200}}",
        rf"(?<=(?<!\w)--?(?:[\w-]{{1,30}}-)?{_KEY}[ ]{{1,2}})(?!-)[^\s\"'`,;<>&|]{{6,400}}",
        r"(?<=[?&](?:key|auth|sid|sess|k|ak|sk)=)"
        r"(?![0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-]))[^\s&#\"'<>]{12,400}",
        r"(?<=\b(?:bearer|basic)[ ])[A-Za-z0-9._~+/-]{12,4000}={0,2}(?![=\w])(?<!\.)",
    )
    SCORE = 0.8

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, words, and values that do not look random."""
        value = pattern_text
        if is_dummy_secret(value) or " " in value or not looks_secret(value):
            return True
        return (reads_like_words(value) and entropy(value) < 4) or value.isnumeric()

"""Secrets that something announces: a key, a header, an option, a word of a sentence.

A password may be any word, so what stands after its announcement counts unless it goes on with the
sentence or refers to a variable. Keys and tokens count if they look random.
"""

import regex
from presidio_analyzer import Pattern, PatternRecognizer

from redact.announced_words import (
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
from redact.loosen import closing
from redact.randomness import entropy, looks_secret, reads_like_words
from redact.stand_ins import is_of_sentence, is_stand_in, reads_like_prose

_PASSWORD = rf"(?:{PASSWORDS})"
_KEY = rf"(?:{KEYS})"

_GOES_ON = r"[,;&](?![\s,;&]|[\w .-]{1,40}[=:]|\Z)"
_BARE = rf"(?:[^\s\"'`,;<>&|]|{_GOES_ON}|(?<=\w)'(?=\w)){{2,200}}(?<![.,:)\]}}?\\])"
_MIXED = rf"(?=[^\W\d_]{{0,60}}[^\s\"'`,;<>&|A-Za-z\u0080-\uffff]){_BARE}"
"""A value without quotes, and one that holds a digit or a mark."""

_WORD = r"[^\W\d_]{3,40}"
_ALONE = r"(?=[.!]?[ \t]*(?:[\r\n,;|)\]}\"'<&#]|\\n|\Z|[ ]{2}|[\w.-]{1,30}[:=]))"
"""Nothing of a sentence follows: the line ends, or another key begins."""

_OPENING = r"(?:\\{0,3}[\"'`\u201c\u300c])?"
_NOT_CODE = r"(?![\s)\]},;:+])"
"""What stands behind a closed quotation in a program."""


def _within(opening: str, closing: str) -> str:
    r"""Return an expression for what stands between quotes, which may be written as `\"`."""
    return (
        rf"(?<=[{opening}]){_NOT_CODE}(?:[^{closing}\\\n]|\\(?!\\{{0,2}}[{closing}])){{1,200}}"
        rf"(?=\\{{0,3}}[{closing}])"
    )


_QUOTED = "|".join(
    _within(opening, closing)
    for opening, closing in (('"', '"'), ("'", "'"), ("`", "`"), ("\u201c\u300c", "\u201d\u300d"))
)
_VALUE = rf"(?:{_QUOTED}|{_NOT_CODE}{_MIXED})"
"""A value between quotes of any kind, or one without that is more than a word."""


def before_kept_out(expression: str) -> str:
    """Return an expression that reads forward what `(?<=...)` at its start reads backward.

    Searching for the announcement is cheaper than looking back from each possible value.
    """
    if not expression.startswith("(?<="):
        return expression
    end = closing(expression, 0)
    return rf"(?:{expression[4:end]})\K{expression[end + 1 :]}"


class _Announced(PatternRecognizer):
    """A recogniser made of expressions, without regard to case."""

    EXPRESSIONS: tuple[str, ...] = ()
    SCORE = 0.85
    BACKWARD = False
    """Whether one announcement has many values, so that each looks back to it."""

    def __init__(self) -> None:
        name = type(self).__name__
        super().__init__(
            supported_entity="SECRET",
            patterns=[
                Pattern(name, each if self.BACKWARD else before_kept_out(each), self.SCORE) for each in self.EXPRESSIONS
            ],
            global_regex_flags=int(regex.IGNORECASE),
            name=name,
        )


class AssignedPassword(_Announced):
    """Finds what is assigned to a password: a value in quotes, or one that is more than a word."""

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
        return is_stand_in(pattern_text) or reads_like_prose(pattern_text)


class AssignedWord(_Announced):
    """Finds a password that is a word, or a few, where no sentence goes on after it."""

    EXPRESSIONS = (
        rf"(?<={_PASSWORD}{ROLE}{PURPOSE}{COLON}){_WORD}(?:[ ]{_WORD}){{0,7}}{_ALONE}",
        rf"(?<={_PASSWORD}{ROLE}{PURPOSE}{ASSIGNED}){_WORD}{_ALONE}",
        rf"(?<=(?-i:SECRET(?:_KEY)?)=[\"']?){_BARE}",
        rf"(?<={_PASSWORD}{ROLE}={{1,2}}){_WORD}(?![\w.(\[])",
        rf"(?<=(?:{SHORT_PASSWORDS}|(?<![a-z])secret){NUMBER}={{1,2}}){_WORD}(?![\w.(\[])",
        rf"(?<=\blogin[ ][^\s]{{1,60}}\s{{1,4}}password[ ]){_BARE}",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, and words that go on with a sentence or name a type."""
        return is_stand_in(pattern_text) or reads_like_prose(pattern_text)


class SaidPassword(_Announced):
    """Finds the password that a sentence tells: `the password is hunter2`."""

    EXPRESSIONS = (
        rf"(?<={_PASSWORD}{PURPOSE}{IS}{_OPENING})"
        rf"(?!\d+[ ](?:char|digit|bit|byte|day|hour|letter|min|sec)){_VALUE}",
        rf"(?<=\b(?:my|your|our|the|his|her|their|its|wi-?fi|new|old|current|default|temporary|admin"
        rf"|root|initial|master|guest)[ ](?:[\w'-]{{1,20}}[ ]){{0,2}}{_PASSWORD}{PURPOSE}[ ](?:is|was)[ ])"
        r"[^\W\d_]{4,30}(?=[.!,;]?(?:\s*\Z|[\"'\n)])|[.!;,][ ]|[ ](?:and|but|please|thanks|so)\b)",
        rf"(?<=(?<![\w.-])(?:{PASSWORDS}|pw)[ ])(?=[^\s\d]{{0,40}}\d)(?=[\d\W_]{{0,40}}[a-z])[^\s\"'`,;<>&|=:(){{}}]{{6,100}}"
        r"(?<![.?!])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and what goes on with the sentence."""
        if is_stand_in(pattern_text) or reads_like_prose(pattern_text):
            return True
        return " " not in pattern_text and is_of_sentence(pattern_text)


class ForeignPassword(_Announced):
    """Finds passwords announced in other scripts: a sign or a word of being, then the value."""

    EXPRESSIONS = (
        rf"(?<=(?:{FOREIGN_PASSWORDS})[^\W\d_]{{0,2}}[\"'*]{{0,2}}{FOREIGN_IS}[ ]{{0,2}})"
        r"[!-&(-;=?-~]{4,100}(?<![.,:;)\]?!])",
        rf"(?<=(?:{FOREIGN_PASSWORDS})[\"'*]{{0,2}}[ ]?[:=\uff1a\uff1d][ ]{{0,2}})[^\W\d_]{{4,30}}"
        r"(?=[ \t]*(?:[\r\n,;|)\"'<]|\Z))",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and names of types."""
        return is_stand_in(pattern_text) or reads_like_prose(pattern_text)


class AssignedKey(_Announced):
    """Finds what looks random after a key, a token or a secret, in any kind of assignment."""

    EXPRESSIONS = (
        rf"(?<={_KEY}{ROLE}{PURPOSE}(?:{ASSIGNED}|{IS}){_OPENING}){_VALUE}",
        rf"(?<=(?:{FOREIGN_KEYS})[\"'*]{{0,2}}{FOREIGN_IS}[ ]{{0,2}})[!-&(-;=?-~]{{8,200}}(?<![.,:;)\]?!])",
        rf"(?<=<(?:[\w.-]{{0,40}}[:._-])?{_KEY}(?:\s[^<>]{{0,80}})?>)[^<>\s]{{6,200}}(?=</)",
        rf"(?<=(?:key|name|id)=[\"'][\w.:-]{{0,40}}{_KEY}[\"'][^<>]{{0,40}}value=[\"'])"
        rf"[^\"'<>]{{6,200}}",
        rf"(?<=(?<!\w)--?(?:[\w-]{{1,30}}-)?{_KEY}[ ]{{1,2}})(?!-)[^\s\"'`,;<>&|]{{6,400}}",
        r"(?<=[?&](?:key|auth|sid|sess|k|ak|sk)=)[^\s&#\"'<>]{12,400}",
        r"(?<=\b(?:bearer|basic)[ ])[A-Za-z0-9._~+/=-]{12,4000}(?<!\.)",
    )
    SCORE = 0.8

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, words and what does not look random."""
        value = pattern_text
        if is_stand_in(value) or " " in value or not looks_secret(value):
            return True
        return (reads_like_words(value) and entropy(value) < 4) or value.isnumeric()


class Authorisation(_Announced):
    """Finds what a header of authorisation carries."""

    EXPRESSIONS = (
        r"(?<=\b(?:proxy-)?authori[sz]ation[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[a-z][a-z0-9-]{2,20}[ ]{1,2})?)"
        r"(?![a-z][a-z0-9-]{2,20}[ ][a-z0-9])[A-Za-z0-9._~+/=:-]{8,4000}(?<![.:])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and words."""
        return is_stand_in(pattern_text) or reads_like_words(pattern_text)


class AddressPassword(_Announced):
    """Finds the password in an address: `postgres://user:password@host`."""

    BACKWARD = True
    EXPRESSIONS = (
        r"(?<=[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"'<>]{0,100}:)[^\s/\"'<>]{1,200}(?=@[a-z0-9.\-\[{$(<_])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references."""
        return is_stand_in(pattern_text) and pattern_text.lower() not in _REAL


_REAL = ("password", "pass", "secret", "pwd", "token")
"""In an address these are passwords: a reference has other marks there."""


class Cookie(_Announced):
    """Finds the values of cookies that tell who is logged in."""

    BACKWARD = True
    EXPRESSIONS = (
        r"(?<=\b(?:set-)?cookie[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[^\r\n\"']{0,2000};[ ]?)?[\w.-]{0,40}"
        r"(?:sess(?:ion)?(?:_?id)?|sid|auth|token|jwt|csrf|xsrf|remember(?:_me|_token)?|secure[\w-]{0,20}|login|sso)[\w.-]{0,20}=)"
        r"[^\s;,\"'<>]{6,4000}",
        r"(?<=\b(?:set-)?cookie[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[^\r\n\"']{0,2000};[ ]?)?[\w.-]{1,40}=)"
        r"(?=[A-Za-z]{0,60}[0-9])[^\s;,\"'<>]{20,4000}",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and words."""
        return is_stand_in(pattern_text) or (
            reads_like_words(pattern_text) and pattern_text.isalpha() and pattern_text.islower()
        )


class OptionPassword(_Announced):
    """Finds passwords among the options of a command and in addresses."""

    _TOOLS = (
        r"mysql(?:dump|admin|import)?|mariadb(?:-dump)?",
        r"sshpass|docker[ ]login|podman[ ]login|mongo(?:sh|dump|restore)?|az[ ]login|cf[ ]login|oc[ ]login",
        r"curl|wget|https?|xh",
    )
    EXPRESSIONS = (
        rf"(?<=(?<!\w)--?(?:[\w-]{{1,30}}-)?(?:{PASSWORDS}|pass|pw)(?:[ ]{{1,2}}|=)[\"']?)(?!-)"
        r"[^\s\"'`;<>|]{2,200}",
        rf"(?<=\b(?:{_TOOLS[0]})\b[^\n|]{{0,200}}[ ]-p[\"']?)[^\s\"'-][^\s\"']{{1,100}}",
        rf"(?<=\b(?:{_TOOLS[1]})\b[^\n|]{{0,200}}[ ]-p[ ]?[\"']?)[^\s\"'-][^\s\"']{{1,100}}",
        rf"(?<=\b(?:{_TOOLS[2]})\b[^\n|]{{0,400}}[ ](?:-u|--user|-a|--auth)[ =]?[\"']?[^\s:\"']{{0,100}}:)"
        r"[^\s\"']{1,200}",
        r"(?<=\bredis-cli\b[^\n|]{0,200}[ ](?:-a|--pass)[ ][\"']?)[^\s\"']{2,100}",
        r"(?<=\b(?:sqlcmd|bcp|unzip|zip)\b[^\n|]{0,200}[ ]-P[ ]?[\"']?)[^\s\"'-][^\s\"']{1,100}",
        r"(?<=\bldap(?:search|modify|add|whoami)\b[^\n|]{0,200}[ ]-w[ ]?[\"']?)[^\s\"'-][^\s\"']{1,100}",
        r"(?<=\b(?:smbclient|rpcclient|net|cifs|mount)\b[^\n|]{0,200}[ ]-U[ ]?[\"']?[^\s%]{1,60}%)[^\s\"']{2,100}",
        r"(?<=\bpass:)[^\s\"'@:]{3,100}(?=[\s\"']|\Z)",
        r"(?<=\bjdbc:oracle:(?:thin|oci):[^\s/@\"']{1,60}/)[^\s@\"']{1,100}(?=@)",
        r"(?<=\b(?:ftp|sftp|ssh|login|user(?:name)?|account|creds?|credentials|logins?)[:=]?[ ](?:is[ ]|are[ ])?"
        r"[a-z][\w.@-]{1,40}[ ]?(?:/|:|with)[ ]?(?:password[ ])?)"
        r"(?=[^\s\d]{0,40}\d)(?=[\d\W_]{0,40}[a-z])[^\s\"'`,;<>|/:]{6,100}(?<![.?!)])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, names of the value in a help text, and words of a sentence."""
        value = pattern_text
        is_metavar = value.isalpha() and value.isupper() and value.lower().startswith(_METAVARS)
        return is_metavar or is_stand_in(value) or reads_like_prose(value)


_METAVARS = ("pass", "pwd", "text", "string", "secret", "token", "value")


class AnnouncedCode(_Announced):
    """Finds PINs, one-time codes and security codes after what calls them so."""

    _ONE_TIME = (
        r"(?:verification|security|confirmation|authenti(?:cation|cator)|auth|login|log-?in|sign-?in"
        r"|one[ -]?time|single[ -]?use|access|sms|two[ -]?factor|2[ -]?fa|mfa|unlock|door|gate|alarm"
        r"|activation|safe|lock(?:box)?|entry|passkey|totp|otp|bank(?:ing)?)[ -]{0,2}"
        r"(?:pass)?(?:code|pin|password|number)|\botp|\btotp|2fa|mfa|\btan|\bcvv2?|\bcvc2?|\bcvn|\bcsc"
        r"|best(?:\u00e4|ae)tigungscode|sicherheitscode|code[ ]de[ ](?:v\u00e9rification|s\u00e9curit\u00e9|confirmation)"
        r"|c\u00f3digo[ ]de[ ](?:verificaci\u00f3n|seguridad|verifica\u00e7\u00e3o|seguran\u00e7a)|codice[ ]di[ ](?:verifica|sicurezza)"
        r"|verificatiecode|kod[ ]weryfikacyjny"
    )
    _PIN = r"(?<![a-z0-9])pin(?:[ -]?(?:code|number|nummer|no\.?))?"
    _LINK = r"(?:[ ](?:for|of|to)[ ][^\n:=]{1,40})?[\"'*]{0,3}[ ]{0,2}(?:[:=#]|is|was|ist|lautet|est|es|\u00e8|\u00e9|to|jest|are)[ ]{0,2}[\"'*`]{0,3}"
    _DIGITS = r"(?<![\w.,])(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?![\w%\u00b0]|[.,/:-]\d)"
    EXPRESSIONS = (
        rf"(?<=(?:{_ONE_TIME}){_LINK}){_DIGITS}",
        rf"(?<=(?:(?:verification|confirmation|security|one[ -]?time)[ -](?:pass)?code|\b(?:otp|totp)|2fa|mfa)[ ])"
        rf"(?!(?:19|20)[0-9][0-9]\b){_DIGITS}",
        rf"(?<={_PIN}[\"'*]{{0,3}}[ ]{{0,2}}(?:[:=#]|is|was|ist|lautet|est|es|jest)[ ]{{0,2}}[\"'*`]{{0,3}}){_DIGITS}",
        rf"(?<=(?-i:\bPIN)[ ]){_DIGITS}",
        r"(?<=\b(?:cvv2?|cvc2?|cvn|csc|(?:card )?security code)[\"'*]{0,3}[ ]{0,2}(?:[:=#]|is|was|ist|est|es)?[ ]{0,2}[\"'*`]{0,3})"
        r"(?<![\w.,])[0-9]{3,4}(?![\w%]|[.,/:-]\d)",
        r"(?<=\b(?:your|the)[ ](?:[\w-]{1,20}[ ]){0,2}code[ ](?:is|was)[:]?[ ]{1,2}[\"'*`]{0,3})"
        r"(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?![\w%]|[.,/:-]\d)",
        r"(?<![\w.,-])(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?=[ ]is[ ](?:your|the|my)[ ](?:[\w-]{1,20}[ ]){0,3}(?:code|otp|pin|passcode)\b)",
        r"(?<=(?:\u9a8c\u8bc1\u7801|\u9a57\u8b49\u78bc|\u52a8\u6001\u7801|\u8a8d\u8a3c\u30b3\u30fc\u30c9|\u78ba\u8a8d\u30b3\u30fc\u30c9"
        r"|\uc778\uc99d\ubc88\ud638|\u043a\u043e\u0434 \u043f\u043e\u0434\u0442\u0432\u0435\u0440\u0436\u0434\u0435\u043d\u0438\u044f|\u043f\u0438\u043d-?\u043a\u043e\u0434)"
        r"[ ]?(?:\u662f|\u4e3a|\u70ba|\u306f|[:=\uff1a])?[ ]?)[0-9]{4,8}(?![0-9A-Za-z])",
        r"(?<=\b(?:recovery|backup|scratch|rescue|reset|emergency|wiederherstellungs|r\u00e9cup\u00e9ration)[ _-]?(?:codes?|keys?)"
        r"[^\n:=]{0,40}(?:[:=]|\bare\b|\bis\b)[\s\"'*\[\-\u2022]{0,6})"
        r"(?:(?=[a-z-]{0,12}[0-9])[a-z0-9]{4,12}(?:-[a-z0-9]{4,12}){0,7}(?:\s?[,;|]\s?|\s{1,4}|\s[-\u2022*]\s)?(?:[0-9]{1,2}[.)]\s)?){1,24}(?<!\s)(?<!,)",
        r"(?<=\b(?:seed|recovery|mnemonic|backup|secret[ ]recovery|wallet)[ _-]?(?:phrase|words?|seed|mnemonic)"
        r"[^\n:=]{0,40}(?:[:=]|\bis\b|\bare\b)[\s\"'`*]{0,6})(?:[0-9]{0,2}\.?[ ]?[a-z]{3,8}[ ,\n]{1,3}){11,23}[0-9]{0,2}\.?[ ]?[a-z]{3,8}\b",
        r"(?<=\bmnemonic[\"'*]{0,3}[ ]?[:=][\s\"'`*]{0,6})(?:[a-z]{3,8}[ ,\n]{1,3}){11,23}[a-z]{3,8}\b",
    )
    SCORE = 0.8


ANNOUNCED: tuple[type[PatternRecognizer], ...] = (
    AssignedPassword,
    AssignedWord,
    SaidPassword,
    ForeignPassword,
    AssignedKey,
    Authorisation,
    AddressPassword,
    Cookie,
    OptionPassword,
    AnnouncedCode,
)
"""All recognisers of announced secrets, in a fixed order."""

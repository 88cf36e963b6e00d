"""Regular expressions for the words that announce a secret, in many languages."""

PASSWORDS = (
    r"pass(?:word|wd|wrd|phrase|code)|(?<![a-z])pwd|passwort|kennwort|zugangscode|losungswort"
    r"|contrase[n\u00f1]a|mots?[ _-]?de[ _-]?passe|senha|wachtwoord|has[l\u0142]o"
    r"|l[o\u00f6]senord|adgangskode|passord|salasana|jelsz[o\u00f3]|[s\u015f]ifre"
    r"|palavra[ -]passe|parola[ ]d\\{0,3}['\u2019]{1,2}ordine|requirepass|masterauth"
    r"|kata[ _]sandi|m[a\u1ead]t[ _]?kh[a\u1ea9]u|contrasenya|lozinka|slapta[z\u017e]odis"
)
"""Any value assigned to one of these is a secret, even a plain word."""

FOREIGN_PASSWORDS = (
    r"\u043b\u043e\u0437\u0438\u043d\u043a[\u0430\u0435\u0438]"
    r"|\u043f\u0430\u0440\u043e\u043b[\u044c\u044f\u0435]|\u043f\u0430\u0440\u043e\u043b\u0430"
    r"|\u03ba\u03c9\u03b4\u03b9\u03ba[\u03cc\u03bf]\u03c2|\u30d1\u30b9\u30ef\u30fc\u30c9"
    r"|\u30d1\u30b9\u30d5\u30ec\u30fc\u30ba|\u6697\u8a3c\u756a\u53f7|\u5bc6[\u7801\u78bc]"
    r"|\u53e3\u4ee4|\ube44\ubc00\ubc88\ud638|\uc554\ud638"
    r"|\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19|\u092a\u093e\u0938\u0935\u0930\u094d\u0921"
    r"|\u0643\u0644\u0645\u0629 (?:\u0627\u0644\u0645\u0631\u0648\u0631|\u0627\u0644\u0633\u0631)"
    r"|\u05e1\u05d9\u05e1\u05de[\u05d4\u05d0]"
)
"""Passwords in languages that are not written in Latin letters."""

SHORT_PASSWORDS = (
    r"(?<![a-z])(?:pass|pw|psw|mdp|clave|parola(?:[ ]d\\{0,3}['\u2019]{1,2}ordine)?"
    r"|heslo|geslo|parole|sandi|pswd)"
    r"|(?<=(?-i:[a-z]))(?-i:Pass|Pw|Pwd)"
)
"""Words with other meanings, or that are part of other words."""

KEYS = (
    r"secrets?|tokens?|api[ _.-]?keys?|apikey|(?:access|auth|account|admin|app|application|client"
    r"|consumer|customer|deploy|encryption|function|host|hmac|jwt|license|licence|master|private"
    r"|publishable|root|secret|server|service|session|shared|shared[ _-]?access|signing|ssh|storage"
    r"|subscription|user|webhook|write|read|ingest|integration|auth)[ _.-]?(?:key|secret|token)"
    r"|credentials?|creds?|authkey|csrf|xsrf|jwt|signature|geheimnis|api-schl[u\u00fc]ssel"
    r"|jeton|clave[ _]de[ _]api|cl[e\u00e9][ _]api|chave[ _](?:de[ _])?api"
    r"|(?-i:_KEY)"
)
"""A value after one of these counts if it looks random."""

FOREIGN_KEYS = (
    r"(?:api|\u8bbf\u95ee|\u79d8\u5bc6|\u5bc6|api[ ]?)(?:\u5bc6\u94a5|\u5bc6\u9470|\u30ad\u30fc)"
    r"|\u5bc6\u94a5|\u5bc6\u9470|\u4ee4\u724c|\u79d8\u5bc6\u9375|\u30c8\u30fc\u30af\u30f3"
    r"|\u30a2\u30af\u30bb\u30b9\u30ad\u30fc|\u0442\u043e\u043a\u0435\u043d|\u043a\u043b\u044e\u0447"
    r"|\ud1a0\ud070|\uc2dc\ud06c\ub9bf"
)

ROLE = (
    r"(?:[ _.-]?(?:[0-9]{1,2}|prod(?:uction)?|dev|test|stag(?:e|ing)|live|old|new|current|root|a"
    r"dmin"
    r"|user|primary|secondary|backup|main|default|confirm(?:ation)?|again|repeat|plain|clear|raw))?"
)
"""What may follow such a word in a key: `PASSWORD_PROD`, `password2`."""

NUMBER = r"(?:[ _.-]?[0-9]{1,2})?"
"""The same after a short word."""

PURPOSE = (
    r"(?:[ ](?:\(|for|of|to|on|in|f\u00fcr|von|pour|de|para|di|da|voor|dla)"
    r"(?:[^\n:=,;\"'`]|(?<=\w)'(?=\w)){1,60}?)??"
)
"""The purpose of a secret: `password (temporary)`, `password for the wifi`."""

ASSIGNED = (
    r"""(?:[ ](?:is|lautet|ist|es|est)(?=[ ]?[:\uff1a]))?"""
    r"""(?:\\{0,3}["'`]|[*_]{2}|\])?[ \t]{0,3}(?:[:!=]?={1,3}>?|:{1,2}|->|[\uff1a\uff1d])"""
    r"""(?:[*_]{2})?[ \t]{0,3}"""
)
"""A sign of assignment, in programs, settings, JSON and chats."""

COLON = (
    r"""(?:[ ](?:is|lautet|ist|es|est)(?=[ ]?:))?"""
    r"""(?:\\{0,3}["'`]|[*_]{2}|\])?[ \t]{0,3}(?:[:\uff1a]|->|=>)(?:[*_]{2})?[ \t]{0,3}"""
)
"""A colon, as people and settings write it, after which a value may be several words."""

IS = (
    r"[ ](?:is|was|are|=|ist|lautet|war|es|est|e|\u00e9|\u00e8|to|jest|brzmi|\u00e4r|er|on|is now"
    r"|is still|(?:(?:is|was|has been) )?(?:changed|set|reset) to|will be|should be)[ ]{1,2}"
)
"""A verb after which the secret follows."""

FOREIGN_IS = (
    r"[ ]?(?:\u662f|\u4e3a|\u70ba|\u306f|\u5c31\u662f|\u8a2d\u7f6e\u70ba|\u8bbe\u4e3a|[:=\uff1a"
    r"\uff1d]|-|\u2014"
    r"|\uc740|\ub294|\u0458\u0435|\u043d\u043e\u0432\u044b\u0439|\u044d\u0442\u043e|\u03b5\u03af\u03bd\u03b1"
    r"\u03b9|\u05d4\u05d9\u05d0|\u0647\u064a)[ \u300c\"'\u201c`]{0,2}"
)

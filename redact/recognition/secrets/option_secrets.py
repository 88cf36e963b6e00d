"""Recognisers for secrets in command options, headers, cookies and URLs."""

from redact.lexical.dummy_secrets import is_dummy_secret, reads_like_prose
from redact.lexical.randomness import reads_like_words
from redact.recognition.secrets.announcement import AnnouncedSecretRecogniser
from redact.recognition.secrets.announcing_words import PASSWORDS


class AuthorisationRecogniser(AnnouncedSecretRecogniser):
    """Finds the credentials in an Authorization header."""

    EXPRESSIONS = (
        r"(?<=\b(?:proxy-)?authori[sz]ation[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[a-z]"
        r"[a-z0-9-]{2,20}[ ]{1,2})?)"
        r"(?![a-z][a-z0-9-]{2,20}[ ][a-z0-9])[A-Za-z0-9._~+/=:-]{8,4000}(?<![.:])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and words."""
        return is_dummy_secret(pattern_text) or reads_like_words(pattern_text)


class UrlPasswordRecogniser(AnnouncedSecretRecogniser):
    """Finds the password in a URL: `postgres://user:password@host`."""

    BACKWARD = True
    EXPRESSIONS = (
        r"(?<=[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"'<>]{0,100}:)[^\s/\"'<>]{1,200}"
        r"(?=@[a-z0-9.\-\[{$(<_])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references."""
        return is_dummy_secret(pattern_text) and pattern_text.lower() not in _REAL


_REAL = ("password", "pass", "secret", "pwd", "token")
"""In a URL these are passwords: a reference has other marks there."""


class CookieRecogniser(AnnouncedSecretRecogniser):
    """Finds the values of session and login cookies."""

    BACKWARD = True
    EXPRESSIONS = (
        r"(?<=\b(?:set-)?cookie[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[^\r\n\"']{0,2000};[ ]?)"
        r"?[\w.-]{0,40}"
        r"(?:sess(?:ion)?(?:_?id)?|sid|auth|token|jwt|csrf|xsrf|remember(?:_me|_token)?|"
        r"secure[\w-]{0,20}|login|sso)[\w.-]{0,20}=)"
        r"[^\s;,\"'<>]{6,4000}",
        r"(?<=\b(?:set-)?cookie[\"']?[ ]{0,2}[:=][ ]{0,2}\\{0,3}[\"']?(?:[^\r\n\"']{0,2000};[ ]?)"
        r"?[\w.-]{1,40}=)"
        r"(?=[A-Za-z]{0,60}[0-9])[^\s;,\"'<>]{20,4000}",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and words."""
        return is_dummy_secret(pattern_text) or (
            reads_like_words(pattern_text) and pattern_text.isalpha() and pattern_text.islower()
        )


class OptionPasswordRecogniser(AnnouncedSecretRecogniser):
    """Finds passwords in the options of a command and in URLs."""

    _TOOLS = (
        r"mysql(?:dump|admin|import)?|mariadb(?:-dump)?",
        r"sshpass|docker[ ]login|podman[ ]login|mongo(?:sh|dump|restore)?|az[ ]login|cf[ ]login|"
        r"oc[ ]login",
        r"curl|wget|https?|xh",
    )
    EXPRESSIONS = (
        rf"(?<=(?<!\w)--?(?:[\w-]{{1,30}}-)?(?:{PASSWORDS}|pass|pw)(?:[ ]{{1,2}}|=)[\"']?)(?!-)"
        r"[^\s\"'`;<>|]{2,200}",
        rf"(?<=\b(?:{_TOOLS[0]})\b[^\n|]{{0,200}}[ ]-p[\"']?)[^\s\"'-][^\s\"']{{1,100}}",
        rf"(?<=\b(?:{_TOOLS[1]})\b[^\n|]{{0,200}}[ ]-p[ ]?[\"']?)[^\s\"'-][^\s\"']{{1,100}}",
        rf"(?<=\b(?:{_TOOLS[2]})\b[^\n|]{{0,400}}[ ](?:-u|--user|-a|--auth)[ =]?[\"']"
        rf"?[^\s:\"']{{0,100}}:)"
        r"[^\s\"']{1,200}",
        r"(?<=\bredis-cli\b[^\n|]{0,200}[ ](?:-a|--pass)[ ][\"']?)[^\s\"']{2,100}",
        r"(?<=\b(?:sqlcmd|bcp|unzip|zip)\b[^\n|]{0,200}[ ]-P[ ]?[\"']?)[^\s\"'-][^\s\"']{1,100}",
        r"(?<=\bldap(?:search|modify|add|whoami)\b[^\n|]{0,200}[ ]-w[ ]?[\"']?)[^\s\"'-]"
        r"[^\s\"']{1,100}",
        r"(?<=\b(?:smbclient|rpcclient|net|cifs|mount)\b[^\n|]{0,200}[ ]-U[ ]?[\"']?[^\s%]{1,60}%)"
        r"[^\s\"']{2,100}",
        r"(?<=\b(?:log_?in|sign_?in|getConnection|authenticate|(?:http)?basic_?auth|connect"
        r"|auth[ ]?=[ ]?)\((?:[^()\n\"']{0,60}[\"'][^\"'\n]{0,200}[\"'],[ ]?){1,2}[\"'])"
        r"(?=[^\"'\n\d]{0,40}\d)[^\"'\n]{4,100}(?=[\"'][ ]?\))",
        r"(?<=\bpass:)[^\s\"'@:]{3,100}(?=[\s\"']|\Z)",
        r"(?<=\bjdbc:oracle:(?:thin|oci):[^\s/@\"']{1,60}/)[^\s@\"']{1,100}(?=@)",
        r"(?<=\b(?:ftp|sftp|ssh|login|user(?:name)?|account|creds?|credentials|logins?)[:=]?[ ]"
        r"(?:is[ ]|are[ ])?"
        r"[a-z][\w.@-]{1,40}[ ]?(?:/|:|with)[ ]?(?:password[ ])?)"
        r"(?=[^\s\d]{0,40}\d)(?=[\d\W_]{0,40}[a-z])[^\s\"'`,;<>|/:]{6,100}(?<![.?!)])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references, value names of a help text, and words of a sentence."""
        value = pattern_text
        is_metavar = value.isalpha() and value.isupper() and value.lower().startswith(_METAVARS)
        return is_metavar or is_dummy_secret(value) or reads_like_prose(value)


class SplitKeyRecogniser(AnnouncedSecretRecogniser):
    """Finds the rest of a key whose first letters are a string of their own: `'sk-' + '...'`."""

    EXPRESSIONS = (
        r"(?<=([\"'])(?:sk-(?:[a-z]{2,8}[0-9]{0,2}-){0,3}|gh[pousr]_|github_pat_|gl[a-z]{2,4}-"
        r"|xox[a-z]-|hf_|[prs]k_(?:live|test)_|npm_|pypi-|dop_v1_|shpat_|AKIA|AIza|SG\.)"
        r"\1[ ]{0,2}[+.&]?\s{0,4}\1)"
        r"(?=[A-Za-z_.-]{0,40}[0-9])(?=[0-9_.-]{0,40}[A-Za-z])[\w.+/=-]{12,400}(?=[\"'])",
    )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse references and words."""
        return is_dummy_secret(pattern_text) or reads_like_words(pattern_text)


_METAVARS = ("pass", "pwd", "text", "string", "secret", "token", "value")

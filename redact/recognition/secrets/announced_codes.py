"""Recogniser for PINs, one-time codes, recovery codes and seed phrases after their name."""

from redact.recognition.secrets.announcement import AnnouncedSecretRecogniser


class AnnouncedCodeRecogniser(AnnouncedSecretRecogniser):
    """Finds PINs, one-time codes and security codes after their name."""

    _ONE_TIME = (
        r"(?:verification|security|confirmation|authenti(?:cation|cator)|auth|login|log-?in|sign"
        r"-?in"
        r"|one[ -]?time|single[ -]?use|access|sms|two[ -]?factor|2[ -]?fa|mfa|unlock|door|gate|a"
        r"larm"
        r"|activation|safe|lock(?:box)?|entry|passkey|totp|otp|bank(?:ing)?)[ -]{0,2}"
        r"(?:pass)?(?:code|pin|password|number)|\botp|\btotp|2fa|mfa|\btan|\bcvv2?|\bcvc2?|\bcvn"
        r"|\bcsc"
        r"|best(?:\u00e4|ae)tigungscode|sicherheitscode|code[ ]de[ ](?:v\u00e9rification|s\u00e9"
        r"curit\u00e9|confirmation)"
        r"|c\u00f3digo[ ]de[ ](?:verificaci\u00f3n|seguridad|verifica\u00e7\u00e3o|seguran\u00e7"
        r"a)|codice[ ]di[ ](?:verifica|sicurezza)"
        r"|verificatiecode|kod[ ]weryfikacyjny"
    )
    _PIN = r"(?<![a-z0-9])pin(?:[ -]?(?:code|number|nummer|no\.?))?"
    _LINK = (
        r"(?:[ ](?:for|of|to)[ ][^\n:=]{1,40})?[\"'*]{0,3}[ ]{0,2}(?:[:=#]|is|was|ist|lautet"
        r"|est|es|\u00e8|\u00e9|to|jest|are)[ ]{0,2}[\"'*`]{0,3}"
    )
    _DIGITS = r"(?<![\w.,])(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?![\w%\u00b0]|[.,/:-]\d)"
    EXPRESSIONS = (
        rf"(?<=(?:{_ONE_TIME}){_LINK}){_DIGITS}",
        rf"(?<=(?:(?:verification|confirmation|security|one[ -]?time)[ -](?:pass)?code|\b(?:otp|"
        rf"totp)|2fa|mfa)[ ])"
        rf"(?!(?:19|20)[0-9][0-9]\b){_DIGITS}",
        rf"(?<={_PIN}[\"'*]{{0,3}}[ ]{{0,2}}(?:[:=#]|is|was|ist|lautet|est|es|jest)[ ]{{0,2}}[\""
        rf"'*`]{{0,3}}){_DIGITS}",
        rf"(?<=(?-i:\bPIN)[ ]){_DIGITS}",
        r"(?<=\b(?:cvv2?|cvc2?|cvn|csc|(?:card )?security code)[\"'*]{0,3}[ ]{0,2}(?:[:=#]|is|wa"
        r"s|ist|est|es)?[ ]{0,2}[\"'*`]{0,3})"
        r"(?<![\w.,])[0-9]{3,4}(?![\w%]|[.,/:-]\d)",
        r"(?<=\b(?:your|the)[ ](?:[\w-]{1,20}[ ]){0,2}code[ ](?:is|was)[:]?[ ]{1,2}[\"'*`]{0,3})"
        r"(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?![\w%]|[.,/:-]\d)",
        r"(?<![\w.,-])(?:[a-z]-)?[0-9](?:[ -]?[0-9]){3,7}(?=[ ]is[ ](?:your|the|my)[ ](?:[\w-]{1"
        r",20}[ ]){0,3}(?:code|otp|pin|passcode)\b)",
        r"(?<=(?:\u9a8c\u8bc1\u7801|\u9a57\u8b49\u78bc|\u52a8\u6001\u7801|\u8a8d\u8a3c\u30b3"
        r"\u30fc\u30c9|\u78ba\u8a8d\u30b3\u30fc\u30c9"
        r"|\uc778\uc99d\ubc88\ud638|\u043a\u043e\u0434 \u043f\u043e\u0434\u0442\u0432\u0435"
        r"\u0440\u0436\u0434\u0435\u043d\u0438\u044f|\u043f\u0438\u043d-?\u043a\u043e\u0434)"
        r"[ ]?(?:\u662f|\u4e3a|\u70ba|\u306f|[:=\uff1a])?[ ]?)[0-9]{4,8}(?![0-9A-Za-z])",
        r"(?<=\b(?:recovery|backup|scratch|rescue|reset|emergency|wiederherstellungs|r\u00e9cup"
        r"\u00e9ration)[ _-]?(?:codes?|keys?)"
        r"[^\n:=]{0,40}(?:[:=]|\bare\b|\bis\b)[\s\"'*\[\-\u2022]{0,6})"
        r"(?:(?=[a-z-]{0,12}[0-9])[a-z0-9]{4,12}(?:-[a-z0-9]{4,12}){0,7}(?:\s?[,;|]\s?|\s{1,4}|"
        r"\s[-\u2022*]\s)?(?:[0-9]{1,2}[.)]\s)?){1,24}(?<!\s)(?<!,)",
        r"(?<=\b(?:seed|recovery|mnemonic|backup|secret[ ]recovery|wallet)[ _-]?(?:phrase|words?"
        r"|seed|mnemonic)"
        r"[^\n:=]{0,40}(?:[:=]|\bis\b|\bare\b)[\s\"'`*]{0,6})(?:[0-9]{0,2}\.?[ ]?[a-z]{3,8}[ ,\n"
        r"]{1,3}){11,23}[0-9]{0,2}\.?[ ]?[a-z]{3,8}\b",
        r"(?<=\bmnemonic[\"'*]{0,3}[ ]?[:=][\s\"'`*]{0,6})(?:[a-z]{3,8}[ ,\n]{1,3}){11,23}[a-z]{"
        r"3,8}\b",
    )
    SCORE = 0.8

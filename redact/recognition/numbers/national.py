"""The names and forms of numbers issued by states, banks and telephone companies, by country."""

from redact.recognition.matching.labelled_numbers import (
    ANY_NUMBER,
    CODE_NUMBER,
    LabelledNumber,
    digits_expression,
)

_PASSPORT = r"[A-Za-z]{0,3}[0-9]{5,9}[A-Za-z]{0,2}|[A-Za-z0-9]{1,3}[0-9][A-Za-z0-9]{4,7}"

_PHONE = r"[+\uff0b]?[(]?[0-9](?:[ ().\-\u2010-\u2015/\u00a0]{0,2}[0-9]){6,14}"
_PHONE_NAMES = (
    r"(?:tele|cell|mobile|smart|home|work|office|business|contact|emergency)?[ _-]?phones?|"
    r"tel|telephone|mobile|mob|cell|cellular|landline|fax|telefax|pager|whatsapp|signal|telegram|"
    r"sms|viber|call(?:ed|ing)?(?:[ ](?:me|us|him|her|them|back))?|dial(?:led)?|ring|reach(?:ed)?"
    r"(?:[ ](?:me|us|him|her|them))?|text[ ](?:me|us|him|her|them)|contact(?:[ ](?:number|no))?|"
    r"callback|call[- ]back|hotline|(?:my|his|her|their|your|our)[ ](?:new[ ]|old[ ])?number|"
    r"t[e\u00e9]l(?:[e\u00e9]phone)?|portable|mobil|mobiltelefon|mobilnummer|handy|handynummer|"
    r"rufnummer|"
    r"telefon(?:nummer)?|festnetz|anrufen|t[e\u00e9]l[e\u00e9]fono|tel[e\u00e9]fono|telefone|"
    r"m[o\u00f3]vil|celular|"
    r"telem[o\u00f3]vel|cellulare|telefono|kom[o\u00f3]rka|kom\u00f3rkowy|puhelin(?:numero)?|"
    r"telefoonnummer|"
    r"telefoon|mobiel|telefonnummer|tlf|gsm|\u0442\u0435\u043b\u0435\u0444\u043e\u043d|"
    r"\u0442\u0435\u043b|\u043c\u043e\u0431\u0438\u043b\u044c\u043d\u044b\u0439|"
    r"\u96fb\u8a71(?:\u756a\u53f7)?|\u643a\u5e2f|"
    r"\u7535\u8bdd|\u624b\u673a|\uc804\ud654(?:\ubc88\ud638)?|\u0939\u093e\u0924\u092b|"
    r"\u092b\u093c\u094b\u0928|\u092b\u094b\u0928|\u0647\u0627\u062a\u0641|"
    r"\u062c\u0648\u0627\u0644|\u05d8\u05dc\u05e4\u05d5\u05df"
)
PHONE_ROWS = (LabelledNumber("PHONE_NUMBER", _PHONE_NAMES, _PHONE, digits=7, max_length=30),)

_NINE = digits_expression("8")

NATIONAL_ROWS = (
    LabelledNumber(
        "US_SSN",
        r"ssns?|s\.s\.n\.?|ss[ ]?#|social(?:[ ]?(?:security|sec\.?))?(?:[ ](?:number|no\.?|num|#))?"
        r"(?:[ ]\(ssn\))?",
        _NINE,
        digits=9,
        country="us",
    ),
    LabelledNumber(
        "US_ITIN",
        r"itins?|individual[ ]taxpayer(?:[ ]identification)?|taxpayer(?:[ ]identification)?|"
        r"tax[ _-]?(?:payer[ _-]?)?id(?:entification)?|(?-i:TIN)|atin|ptin|ein|"
        r"employer[ ]identification",
        rf"P?{digits_expression('7,9')}",
        digits=8,
        country="us",
    ),
    LabelledNumber("US_PASSPORT", r"passports?(?:[ ]card)?", _PASSPORT, digits=5, country="us"),
    LabelledNumber(
        "US_DRIVER_LICENSE",
        r"driv(?:er|ers|er'?s|ing|er\u2019s)'?[ _-]{0,2}(?:licen[cs]e|permit|lic)|dl(?:n|[ ]?#)|"
        r"licen[cs]e[ ](?:number|no)|learner'?s?[ ]permit|cdl|state[ ]id(?:[ ]card)?",
        ANY_NUMBER,
        digits=5,
        country="us",
    ),
    LabelledNumber(
        "US_BANK_NUMBER",
        # An account that is named by its end: `account that ends in`, `Konto, das auf … endet`.
        r"[ ]?account,?[ ](?:(?:that|which)[ ])?(?:ending|ends)(?:[ ](?:in|with|on))?|"
        r"konto,?[ ](?:(?:das|welches)[ ])?(?:auf|mit)(?:[ ]endend)?|"
        r"compte[ ](?:qui[ ])?se[ ]termin(?:e|ant)[ ]par|cuenta[ ](?:que[ ]termina|terminada)[ ]en|"
        r"conta[ ](?:que[ ]termina|terminada)[ ]em|conto[ ]che[ ]termina[ ](?:con|per)|"
        r"rekening[ ](?:die[ ])?eindig(?:t|end)[ ]op|"
        r"(?:bank|checking|chequing|savings?|current|deposit|direct[ ]deposit|debit|brokerage|"
        r"credit[ ]union|payroll)?[ _-]?(?:account|acct|a/c)(?:[ ](?:number|no|num|ending))?|"
        r"routing(?:[ ](?:transit[ ])?number)?|aba(?:[ ](?:number|routing))?|rtn|transit[ ]number|"
        r"sort[ ]code|kontonummer|konto(?:nr)?|bankleitzahl|blz|cuenta(?:[ ]bancaria)?|"
        r"compte(?:[ ]bancaire)?|conto(?:[ ]corrente)?|conta(?:[ ]corrente)?|rachunek|"
        r"numer[ ]konta|"
        r"rekening(?:nummer)?|tilinumero",
        rf"{digits_expression('5,17')}",
        digits=6,
    ),
    # United Kingdom
    LabelledNumber(
        "UK_NHS",
        r"nhs|national[ ]health[ ]service|chi[ ]number|health[ ]and[ ]care[ ]number",
        digits_expression("9"),
        digits=10,
        country="uk",
    ),
    LabelledNumber(
        "NATIONAL_ID",
        r"national[ ]insurance|ni[ ](?:number|no)|nino",
        r"[A-Za-z]{2}[ -]?(?:[0-9]{2}[ -]?){3}[A-Da-d]?",
        digits=6,
        country="uk",
    ),
    LabelledNumber(
        "NATIONAL_ID",
        r"utr|unique[ ]taxpayer[ ]reference",
        rf"{digits_expression('9')}K?",
        10,
        "uk",
    ),
    # Documents of any country
    LabelledNumber(
        "NATIONAL_ID",
        r"national[ ](?:id(?:entity|entification)?|identity[ ](?:card|number))|id[ ]card|"
        r"identity[ ](?:card|document|number)|identification[ ](?:card|number)|citizen[ ]id|"
        r"resident(?:[ ]registration|[ ]permit)?|residence[ ]permit|green[ ]card|visa[ ]number|"
        r"alien[ ](?:registration|number)|personal[ ](?:id|identity)[ ](?:number|code)|"
        r"government[ ]id|voter[ ]id|tax[ ](?:number|no|reference|file)|vat[ ](?:number|id)|"
        r"travel[ ]document|passeport|reisepass(?:nummer)?|pass(?:nummer|[ ]?nr)|pasaporte|"
        r"passaporto|passaporte|paszport(?:u)?|paspoort(?:nummer)?|pass[ ]?nummer|passi(?:numero)?|"
        r"driving[ _-]?licen[cs]e|f\u00fchrerschein(?:nummer)?|permis(?:[ ]de[ ]conduire)?|"
        r"carn[e\u00e9]t?[ ]de[ ]conducir|permiso[ ]de[ ]conducir|patente(?:[ ]di[ ]guida)?|"
        r"carta[ ]de[ ]condu\u00e7\u00e3o|cnh|prawo[ ]jazdy|prawa[ ]jazdy|rijbewijs(?:nummer)?|"
        r"k\u00f6rkort(?:snummer)?|ajokortti",
        ANY_NUMBER,
        digits=5,
    ),
    # Germany, Austria, Switzerland
    LabelledNumber(
        "NATIONAL_ID",
        r"steuer[ -]?id(?:nr|entifikationsnummer)?|steuerliche[ ]identifikationsnummer|"
        r"steuer[ -]?(?:nummer|nr)|idnr|st[ -]?nr|rentenversicherung(?:s(?:nummer|nr))?|"
        r"sozialversicherung(?:s(?:nummer|nr))?|versicherung(?:s(?:nummer|nr))|rvnr|svnr|"
        r"sv-?nummer|krankenversicherten(?:nummer|nr)|kvnr|personalausweis(?:nummer|nr)?|"
        r"ausweis(?:nummer|nr)|ahv(?:[ -]?(?:nummer|nr))?",
        ANY_NUMBER,
        digits=6,
        country="de",
    ),
    # Spain and Latin America
    LabelledNumber(
        "NATIONAL_ID",
        r"dni|nif|nie|documento[ ]nacional(?:[ ]de[ ]identidad)?|documento[ ]de[ ]identidad|"
        r"identificaci\u00f3n[ ]fiscal|seguridad[ ]social|nuss|cif|c\u00e9dula|curp|rut|cuil|"
        r"cuit",
        rf"[A-Za-z]?{digits_expression('6,12')}(?:[ -]?[A-Za-z](?![A-Za-z]))?|{CODE_NUMBER}",
        digits=6,
        country="es",
    ),
    LabelledNumber(
        "NATIONAL_ID",
        r"rfc",
        r"[A-Za-z&\u00d1\u00f1]{3,4}[ -]?[0-9]{6}[ -]?[0-9A-Za-z]{3}",
        digits=6,
        country="es",
    ),
    # Italy
    LabelledNumber(
        "NATIONAL_ID",
        r"codice[ ]fiscale|cod\.?[ ]fisc|c\.f\.?|partita[ ]iva|p\.?[ ]?iva|carta[ ]d.identit\u00e0|"
        r"tessera[ ]sanitaria",
        rf"[A-Za-z]{{6}}[ ]?[0-9LMNP-Va-z]{{2}}[ ]?[A-Za-z][0-9LMNP-Va-z]{{2}}[ ]?"
        rf"[A-Za-z][0-9LMNP-Va-z]{{3}}"
        rf"[A-Za-z]|[A-Za-z]{{2}}[0-9]{{5}}[A-Za-z]{{2}}|{digits_expression('8,12')}",
        digits=5,
        country="it",
    ),
    # India
    LabelledNumber(
        "NATIONAL_ID",
        r"aadha?ar|uidai|uid[ ]number|vid|\u0906\u0927\u093e\u0930",
        rf"{digits_expression('11')}|{digits_expression('15')}",
        digits=12,
        country="in",
    ),
    LabelledNumber(
        "NATIONAL_ID",
        r"pan|permanent[ ]account|\u092a\u0948\u0928",
        r"[A-Za-z]{5}[ -]?[0-9]{4}[ -]?[A-Za-z]",
        digits=4,
        country="in",
    ),
    LabelledNumber("NATIONAL_ID", r"voter(?:[ ]id)?|epic", r"[A-Za-z]{3}[ ]?[0-9]{7}", 7, "in"),
    # Poland
    LabelledNumber(
        "NATIONAL_ID",
        r"pesel(?:u)?|nip|regon|dow[o\u00f3]d(?:[ ]osobisty)?|dowodu(?:[ ]osobistego)?|"
        r"nr[ ]dowodu",
        rf"{digits_expression('8,10')}|[A-Za-z]{{3}}[ ]?[0-9]{{6}}",
        digits=6,
        country="pl",
    ),
    # Finland
    LabelledNumber(
        "NATIONAL_ID",
        r"hetu|henkil\u00f6tunnus|henkil\u00f6tunnuksen(?:i)?|personbeteckning(?:en)?|"
        r"henkil\u00f6tunnukseni",
        r"[0-9]{6}[-+A-Fa-fU-Yu-y]?[0-9]{3}[0-9A-Za-z]",
        digits=9,
        country="fi",
    ),
    # Sweden, Denmark, Norway
    LabelledNumber(
        "NATIONAL_ID",
        r"person(?:nummer|nr)|personnumret|samordningsnummer|svensk[ ]id|cpr(?:[ -]?nummer)?|"
        r"f\u00f8dselsnummer|fodselsnummer|personal[ ]number",
        r"(?:[0-9]{2})?[0-9]{6}[ ]?[-+]?[ ]?[0-9]{4,5}",
        digits=10,
        country="se",
    ),
    # Singapore
    LabelledNumber(
        "NATIONAL_ID",
        r"nric|fin(?=[ ]*(?:no|number|:|#|is))|singapore[ ]id",
        r"[STFGMstfgm][0-9]{7}[A-Za-z]",
        digits=7,
        country="sg",
    ),
    # Australia
    LabelledNumber(
        "NATIONAL_ID",
        r"tfn|tax[ ]file|medicare|abn|crn|centrelink",
        digits_expression("7,10"),
        digits=8,
        country="au",
    ),
    # Canada
    LabelledNumber(
        "NATIONAL_ID",
        r"sin(?![a-z(])|s\.i\.n\.?|social[ ]insurance|nas|assurance[ ]sociale|ohip|"
        r"health[ ]card",
        digits_expression("8,9"),
        digits=9,
        country="ca",
    ),
    # France, Portugal, Brazil, the Netherlands and others, whose numbers count only by name
    LabelledNumber(
        "NATIONAL_ID",
        r"num\u00e9ro[ ]de[ ]s\u00e9curit\u00e9[ ]sociale|s\u00e9curit\u00e9[ ]sociale|nir|insee|"
        r"num\u00e9ro[ ]fiscal|spi|"
        r"carte[ ](?:nationale[ ])?d.identit\u00e9|cni|bsn|burgerservicenummer|sofinummer|"
        r"contribuinte|cart\u00e3o[ ](?:de[ ])?cidad\u00e3o|cpf|cnpj|rg|numero[ ]de[ ]identidade|"
        r"rodn\u00e9[ ]\u010d\u00edslo|teudat[ ]zehut|mynumber|my[ ]number[ ]card",
        ANY_NUMBER,
        digits=6,
    ),
)
"""By country of the policy. Sources: the web pages of the issuing offices."""

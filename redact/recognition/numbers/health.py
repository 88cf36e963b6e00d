"""Recognisers for numbers of patients, health plans, vehicles, devices and certificates.

HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i), classes H (medical records), I (beneficiaries of health
plans), K (certificates and licences), L (vehicles) and M (devices).
"""

import re
from collections.abc import Iterator
from typing import Any

from redact.recognition.matching.edges import LEFT, RIGHT
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.labelled_numbers import ANY_NUMBER, LabelledNumber
from redact.recognition.matching.lazy_patterns import ScoredPattern

_PERIOD = re.compile(r"(?:19|20)[0-9]{2}[ -]?[A-Z][0-9A-Z]{0,2}")


def is_plate(value: str) -> bool:
    """Return whether a value looks like a licence plate: five to eight capitals and digits."""
    characters = re.sub(r"[ \-\u00b7]", "", value)
    return (
        value == value.upper()
        and not value.isdecimal()
        and 4 <= len(characters) <= 8
        and any(map(str.isalpha, value))
        and not _PERIOD.fullmatch(value)
    )


_PLATE = (
    r"(?-i:[A-Z0-9]{1,4}[ \-\u00b7]?[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,4}|[A-Z0-9]{5,8}|"
    r"[A-Z\u00c4\u00d6\u00dc]{1,3}[ -][A-Z]{1,2}[ ]?[0-9]{1,4}[EH]?)"
)

HEALTH_ROWS = (
    LabelledNumber(
        "MEDICAL_RECORD",
        r"mrns?|m\.r\.n\.?|medical[ _-]?records?|patient(?:[ _-]?(?:id|number|no|record|file|"
        r"chart))"
        r"|chart(?:[ ](?:number|no))|hospital[ ](?:number|no|id)|clinic[ ](?:number|no|id)|"
        r"health[ _-]?records?|ehr(?:[ ]id)?|emr(?:[ ]id)?|encounter(?:[ ](?:id|number|no))|"
        r"accession(?:[ ](?:number|no))|specimen(?:[ ](?:id|number|no))|"
        r"prescription(?:[ ](?:number|no|id))|rx(?:[ ]?(?:number|no|#))|admission[ ](?:number|no)|"
        r"patienten(?:nummer|nr|-id)|fallnummer|krankenakte|num\u00e9ro[ ]de[ ]patient|"
        r"historia[ ]cl\u00ednica|cartella[ ]clinica|numer[ ]pacjenta|pati\u00ebntnummer|"
        r"journalnummer",
        ANY_NUMBER,
        digits=4,
    ),
    LabelledNumber(
        "HEALTH_PLAN_ID",
        r"(?:health[ ]?(?:plan|insurance)|insurance|medical[ ]insurance|dental[ ]plan)"
        r"[ ](?:member[ ]?)?(?:id|number|no|policy|card|beneficiary|group)(?:[ ](?:number|no|id))?|"
        r"policy[ ](?:number|no)|(?:member|subscriber|beneficiary|enrollee|policy[ ]?holder)"
        r"[ _-]?(?:id|number|no|#)(?:[ ]card)?"
        r"(?:[ ](?:of|for|in|with)(?:[ ](?:the|my|your|our|her|his|their))?"
        r"(?:[ ](?:health|medical|dental))?[ ](?:plan|insurance))?|"
        r"medicare(?:[ ](?:beneficiary|number|id))?|mbi|hicn|"
        r"medicaid|chip[ ]id|hmo[ ]id|ppo[ ]id|tricare|blue[ ]?cross|kaiser[ ]id|aetna|cigna|"
        r"versicherten(?:nummer|nr)|krankenversicherten(?:nummer|nr)|num\u00e9ro[ ]d.assur\u00e9|"
        r"p\u00f3liza|numero[ ]di[ ]polizza|mutuelle",
        ANY_NUMBER,
        digits=4,
    ),
    LabelledNumber(
        "VEHICLE_ID",
        r"vin|vehicle[ _-]?(?:id|identification)|chassis|frame[ ]number|fahrgestellnummer|fin|"
        r"num\u00e9ro[ ]de[ ]ch\u00e2ssis|bastidor|telaio",
        r"[A-HJ-NPR-Za-hj-npr-z0-9]{11,17}",
        digits=3,
    ),
    LabelledNumber(
        "VEHICLE_ID",
        r"(?:licen[cs]e|number|registration|vehicle|car)?[ _-]?plates?(?:[ ](?:number|no))?|"
        r"(?:vehicle[ ]|car[ ])?registration(?:[ ](?:number|no|mark))?|license[ ]tag|tag[ ]number|"
        r"kennzeichen|nummernschild|matr\u00edcula|immatriculation|plaque(?:[ ]d.immatriculation)?|"
        r"targa|placa|matr\u00edcula|tablica[ ]rejestracyjna|kenteken|registreringsnummer|"
        r"rekisterinumero",
        _PLATE,
        digits=1,
        max_length=10,
        check=is_plate,
    ),
    LabelledNumber(
        "DEVICE_ID",
        r"(?:device|equipment|implant|pacemaker|pump|monitor|meter|sensor|lead|defibrillator)"
        r"[ _-]?(?:serial|id|identifier|number|no)(?:[ ](?:number|no))?|serial(?:[ _-]?(?:number|"
        r"no|num|#))?|"
        r"s/n|s\.n\.|ser\.[ ]?no|imei|imsi|meid|iccid|udid|udi|eui-?64|seriennummer|"
        r"ger\u00e4te(?:nummer|-id)|num\u00e9ro[ ]de[ ]s\u00e9rie|n\u00famero[ ]de[ ]serie|"
        r"numero[ ]di[ ]serie|matricola|numer[ ]seryjny|serienummer",
        ANY_NUMBER,
        digits=4,
        max_length=30,
    ),
    LabelledNumber(
        "CERTIFICATE_ID",
        r"certificates?[ _-]?(?:number|no|id|#)|(?:birth|death|marriage)[ ]certificate|"
        r"(?:nursing|nurse|medical|physician|pharmacy|pharmacist|dental|professional|practice|"
        r"state|board|pilot|law|teaching|fishing|hunting|gun|firearms?|marriage|liquor)"
        r"[ ](?:licen[cs]e|permit|registration|certification)|licen[cs]e[ _-]?(?:number|no|id|#)|"
        r"npi|dea(?:[ ](?:number|no|registration))|gmc(?:[ ](?:number|no))|"
        r"approbation(?:snummer)?|urkunden(?:nummer|nr)|bar[ ]number",
        ANY_NUMBER,
        digits=4,
    ),
)

_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
        [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10), *range(10)],
        strict=True,
    )
)
"""Values of the characters of a vehicle identification number (49 CFR 565.15)."""

_CHECK_AT = 8


class VehicleRecogniser(JudgedRecogniser):
    """Finds North American vehicle identification numbers by their check digit."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="VEHICLE_ID",
            patterns=[ScoredPattern("VIN", rf"{LEFT}[A-HJ-NPR-Z0-9]{{17}}{RIGHT}", 0.9)],
            global_regex_flags=0,
            name="Vehicle",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield a number with a valid check digit, unless it is all digits or hexadecimal."""
        del text
        value = match[0]
        letters = {c for c in value if c.isalpha()}
        if len(letters) > 1 and letters - set("ABCDEF") and is_vehicle_number(value):
            yield *match.span(), 0.9


def is_vehicle_number(value: str) -> bool:
    """Return whether 17 characters have the check digit of a VIN (49 CFR 565.15)."""
    total = sum(w * _VALUES[c] for w, c in zip(_WEIGHTS, value, strict=True)) % 11
    return value[_CHECK_AT] == ("X" if total == 10 else str(total))  # X is ten

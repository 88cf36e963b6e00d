"""Recogniser for postal addresses in prose: number and street, suite, PO box, state and code."""

from redact.recognition.matching.edges import add_edges
from redact.recognition.matching.labelled_numbers import LabelledNumber
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_STREETS = (
    "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|"
    "Square|Sq|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Trail|Crescent|Close|Row|Alley|Plaza|Loop|"
    "Squares|Streets|Rue|Via|Calle"
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|"
    "NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR|AA|AE|AP"
)
_WORD = r"[A-ZÀ-ÖØ-Þ][\w'\u2019.-]{0,30}"
_SUITE = r"(?:Suite|Ste|Apt|Apartment|Unit|Flat|Floor|Room)\.?[ ]{0,2}#?[0-9]{1,5}[A-Za-z]?"
_BREAK = r"[ ]{0,2}(?:,|\n|,[ ]?\n)?[ \n]{0,2}"
_PLACE = rf"{_WORD}(?:[ ]{_WORD}){{0,2}}"
_CODE = r"[0-9]{5}(?:-[0-9]{4})?"
_TAIL = (
    rf"(?:{_BREAK}{_SUITE})?"
    rf"(?:{_BREAK}{_PLACE}{_BREAK}(?:{_STATES})[ ,]{{1,2}}{_CODE})?"
)
_ORDINAL = r"[0-9]{1,3}(?:st|nd|rd|th)"

STREET_PATTERNS = (
    ScoredPattern(
        "Number and street",
        r"(?<![A-Za-z0-9.-])[0-9]{1,6}[A-Za-z]?[ ]{1,2}(?:[NSEW]\.?[ ])?"
        rf"(?:(?:{_WORD}|{_ORDINAL})[ ]{{1,2}}){{1,4}}(?:{_STREETS})\b\.?" + _TAIL,
        0.85,
    ),
    ScoredPattern("Suite", rf"\b(?!Room|Floor){_SUITE}(?![A-Za-z0-9])", 0.6),
    ScoredPattern(
        "State and code",
        rf"\b{_PLACE},?[ ]{{0,2}}\n?(?:{_STATES})[ ,]{{1,2}}{_CODE}(?![A-Za-z0-9])",
        0.6,
    ),
    ScoredPattern("Box", r"\b(?:P\.?[ ]?O\.?[ ]?)Box[ ]{1,2}[0-9]{1,6}\b", 0.7),
    ScoredPattern(
        "Military",
        r"\b(?:PSC|Unit|CMR)[ ][0-9]{2,5},?[ ]{1,2}Box[ ][0-9]{2,5}[\s,]{1,4}"
        r"(?:APO|DPO|FPO)[ ](?:AA|AE|AP)[ ][0-9]{5}\b",
        0.9,
    ),
    ScoredPattern(
        "Street and number",
        rf"\b{_WORD}(?:straße|strasse|str\.|gasse|weg|allee|platz|gatan|vägen|katu|tie|laan|straat)"
        r"[ ][0-9]{1,4}[a-z]?\b(?:,?[ ]{1,2}[0-9]{4,5}[ ][A-ZÀ-ÖØ-Þ]\w{1,30})?",
        0.7,
    ),
)


class PostalAddressRecogniser(PatternRecogniser):
    """Finds postal addresses by their form."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="STREET_ADDRESS",
            patterns=[ScoredPattern(p.name, add_edges(p.regex), p.score) for p in STREET_PATTERNS],
            context=["address", "live", "street", "ship"],
            global_regex_flags=0,
        )


ADDRESS_ROWS = (
    LabelledNumber(
        "ZIP_CODE",
        r"zip(?:[ _-]?code)?|post(?:al)?[ _-]?code|pin[ ]code|plz|postleitzahl|code[ ]postal|"
        r"c\u00f3digo[ ]postal|codice[ ]postale|c\u00f3digo[ ]de[ ]postal|cep|kod[ ]pocztowy|"
        r"postnummer|postinumero",
        r"[0-9]{5}(?:-[0-9]{3,4})?|[A-Za-z]{1,2}[0-9][0-9A-Za-z]?[ ]?[0-9][A-Za-z]{2}|"
        r"[A-Za-z][0-9][A-Za-z][ ]?[0-9][A-Za-z][0-9]|[0-9]{2}-[0-9]{3}|[0-9]{3}[ ]?[0-9]{2,3}|"
        r"[0-9]{4}(?:[ ]?[A-Z]{2})?",
        digits=2,
        max_length=10,
    ),
)
"""Postal codes that follow their name."""

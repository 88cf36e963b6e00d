"""The catalogue of recognisers for a policy: Presidio's own, or replacements for weak ones.

The accelerated and the reference detector use this one list, so that they can be compared.
"""

from collections.abc import Collection
from types import MappingProxyType

from redact.policies.policy import RedactionPolicy
from redact.recognition.contacts.dialled_phones import (
    AbroadPhoneRecogniser,
    DialledPhoneRecogniser,
    GluedPhoneRecogniser,
)
from redact.recognition.contacts.machine_addresses import MachineAddressRecogniser
from redact.recognition.contacts.mail_and_hosts import (
    DisguisedMachineRecogniser,
    DisguisedMailRecogniser,
    HostRecogniser,
    MailRecogniser,
)
from redact.recognition.contacts.postal_addresses import ADDRESS_ROWS, PostalAddressRecogniser
from redact.recognition.contacts.spoken_phones import SpokenPhoneRecogniser
from redact.recognition.matching.edges import LEFT, RIGHT, add_edges
from redact.recognition.matching.labelled_numbers import build_labelled_recognisers
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser
from redact.recognition.numbers.accounts import (
    IbanRecogniser,
    PaymentReferenceRecogniser,
    SocialSecurityRecogniser,
    WalletRecogniser,
)
from redact.recognition.numbers.cards import CardRecogniser
from redact.recognition.numbers.health import HEALTH_ROWS, VehicleRecogniser
from redact.recognition.numbers.national import NATIONAL_ROWS, PHONE_ROWS
from redact.recognition.persons.birth_dates import (
    BIRTH_ROWS,
    BirthDateRecogniser,
    WrittenDateRecogniser,
)
from redact.recognition.persons.home_folders import HomeFolderRecogniser
from redact.recognition.persons.person_phrases import (
    AccountRecogniser,
    AgeRecogniser,
    GreetedNameRecogniser,
    IntroducedNameRecogniser,
    LabelledNameRecogniser,
)
from redact.recognition.secrets.announced_codes import AnnouncedCodeRecogniser
from redact.recognition.secrets.assigned_secrets import (
    AssignedKeyRecogniser,
    AssignedPasswordRecogniser,
    AssignedWordRecogniser,
    ForeignPasswordRecogniser,
    StatedPasswordRecogniser,
)
from redact.recognition.secrets.option_secrets import (
    AuthorisationRecogniser,
    CookieRecogniser,
    OptionPasswordRecogniser,
    SplitKeyRecogniser,
    UrlPasswordRecogniser,
)
from redact.recognition.secrets.private_keys import PrivateKeyRecogniser
from redact.recognition.secrets.vendor_keys import (
    VendorContextRecogniser,
    VendorKeyRecogniser,
    load_vendor_keys,
)
from redact.recognition.stock_recognisers import stock_recogniser

GENERIC_RECOGNISERS = (
    "generic.crypto_recognizer.CryptoRecognizer",
    "generic.date_recognizer.DateRecognizer",
    "generic.mac_recognizer.MacAddressRecognizer",
    "generic.url_recognizer.UrlRecognizer",
)
NATIONAL_RECOGNISERS = {
    "us": (
        "us.us_itin_recognizer.UsItinRecognizer",
        "us.medical_license_recognizer.MedicalLicenseRecognizer",
    ),
    "uk": ("uk.uk_nhs_recognizer.NhsRecognizer", "uk.uk_nino_recognizer.UkNinoRecognizer"),
    "de": ("germany.de_social_security_recognizer.DeSocialSecurityRecognizer",),
    "es": ("spain.es_nif_recognizer.EsNifRecognizer", "spain.es_nie_recognizer.EsNieRecognizer"),
    "it": ("italy.it_fiscal_code_recognizer.ItFiscalCodeRecognizer",),
    "in": ("india.in_pan_recognizer.InPanRecognizer",),
    "fi": ("finland.fi_personal_identity_code_recognizer.FiPersonalIdentityCodeRecognizer",),
    "se": ("sweden.se_personnummer_recognizer.SePersonnummerRecognizer",),
    "sg": ("singapore.sg_fin_recognizer.SgFinRecognizer",),
    "ca": ("canada.ca_sin_recognizer.CaSinRecognizer",),
}
"""Presidio's recognisers by country, for numbers with a distinctive form.

Numbers of digits alone count only after their name (``redact.recognition.numbers.national``).
"""

AS_NATIONAL_ID = frozenset(
    {
        "UK_NINO",
        "DE_SOCIAL_SECURITY",
        "ES_NIF",
        "ES_NIE",
        "IT_FISCAL_CODE",
        "IN_PAN",
        "FI_PERSONAL_IDENTITY_CODE",
        "SE_PERSONNUMMER",
        "SG_NRIC_FIN",
        "CA_SIN",
    }
)
"""Presidio's types that are ``NATIONAL_ID`` in a policy here."""

SUFFICIENT_SCORE = 0.4
"""Patterns that score less are dropped: their matches count only after their name."""

_EXACT = MappingProxyType(
    {
        "NhsRecognizer": ((r"[- ]?", "[- ]"),),
        "CaSinRecognizer": (("([- ])", "(-)"),),
        "SePersonnummerRecognizer": ((r"([-+]?)", "([-+])"),),
        "InPanRecognizer": (
            (
                r"([A-Za-z]{3}[AaBbCcFfGgHhJjLlPpTt]{1}[A-Za-z]{1}[0-9]{4}[A-Za-z]{1})",
                r"(?-i:[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z])",
            ),
        ),
        "SgFinRecognizer": (("(?i)", ""), ("[STFGM][0-9]{7}[A-Z]", "(?-i:[STFGM][0-9]{7}[A-Z])")),
        "MacAddressRecognizer": (
            (
                r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
                r"(?=[0-9.]{0,13}[A-Fa-f])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
            ),
            (r"\b[0-9A-Fa-f]{2}([:-])", r"\b(?<![0-9A-Fa-f][:-])[0-9A-Fa-f]{2}([:-])"),
            (r"{4}[0-9A-Fa-f]{2}\b", r"{4}[0-9A-Fa-f]{2}(?![:-][0-9A-Fa-f]{2}(?![A-Za-z]))\b"),
        ),
    }
)
"""Changes to stock patterns that match times, sizes and ids: digits alone need their name."""

_EDGELESS = frozenset({"CryptoRecognizer", "MedicalLicenseRecognizer", "ItFiscalCodeRecognizer"})
"""Recognisers without edges, which find a number inside a longer one."""


def build_recognisers(
    policy: RedactionPolicy, types: Collection[str] | None = None
) -> list[PatternRecogniser]:
    """Build the recognisers of a policy, in a fixed order; only for the given ``types``."""
    domains, regions = policy.internal_domains, tuple(policy.regions)
    keys = load_vendor_keys()
    own: list[PatternRecogniser] = [
        CardRecogniser(),
        MailRecogniser(domains),
        DisguisedMailRecogniser(),
        IbanRecogniser(),
        WalletRecogniser(),
        PaymentReferenceRecogniser(),
        MachineAddressRecogniser(),
        DisguisedMachineRecogniser(),
        PostalAddressRecogniser(),
        BirthDateRecogniser(),
        WrittenDateRecogniser(),
        IntroducedNameRecogniser(),
        LabelledNameRecogniser(),
        GreetedNameRecogniser(),
        AccountRecogniser(),
        HomeFolderRecogniser(),
        AgeRecogniser(),
        VendorKeyRecogniser(keys),
        VendorContextRecogniser(keys),
        PrivateKeyRecogniser(),
        AssignedPasswordRecogniser(),
        AssignedWordRecogniser(),
        StatedPasswordRecogniser(),
        ForeignPasswordRecogniser(),
        AssignedKeyRecogniser(),
        AuthorisationRecogniser(),
        UrlPasswordRecogniser(),
        CookieRecogniser(),
        OptionPasswordRecogniser(),
        SplitKeyRecogniser(),
        AnnouncedCodeRecogniser(),
        *([HostRecogniser(domains)] if domains else []),
        *([SocialSecurityRecogniser()] if "us" in policy.countries else []),
        DialledPhoneRecogniser(regions),
        GluedPhoneRecogniser(regions),
        AbroadPhoneRecogniser(),
        SpokenPhoneRecogniser(),
        VehicleRecogniser(),
        *build_labelled_recognisers(
            (*PHONE_ROWS, *BIRTH_ROWS, *ADDRESS_ROWS, *NATIONAL_ROWS, *HEALTH_ROWS),
            policy.countries,
        ),
    ]
    national = [
        name for country in policy.countries for name in NATIONAL_RECOGNISERS.get(country, ())
    ]
    stock = [*map(_build_generic, GENERIC_RECOGNISERS), *map(_build_national, national)]
    return [r for r in [*own, *stock] if types is None or r.supported_entities[0] in types]


def lowest_score(policy: RedactionPolicy) -> float:
    """Return the score below which no rule of the policy counts a finding."""
    overrides = [*policy.fields.values(), *policy.apps.values()]
    rules = [policy.entities, *(override.entities for override in overrides)]
    return min((rule.score for part in rules for rule in part.values()), default=1.0)


def _build_generic(path: str) -> PatternRecogniser:
    """Build a Presidio recogniser with ASCII edges."""
    recogniser = stock_recogniser(path)
    _replace_patterns(recogniser, 0.0)
    return recogniser


def _build_national(path: str) -> PatternRecogniser:
    """Build a Presidio recogniser with ASCII edges, without its weakest patterns and context."""
    recogniser = stock_recogniser(f"country_specific.{path}")
    _replace_patterns(recogniser, 0.0 if _is_checked(recogniser) else SUFFICIENT_SCORE)
    if recogniser.supported_entities[0] in AS_NATIONAL_ID:
        recogniser.supported_entities = ["NATIONAL_ID"]
    recogniser.context = None
    return recogniser


def _replace_patterns(recogniser: PatternRecogniser, least: float) -> None:
    name = type(recogniser).__name__
    recogniser.patterns = [
        ScoredPattern(pattern.name, _make_exact(name, pattern.regex), pattern.score)
        for pattern in recogniser.patterns
        if pattern.score >= least
    ]


def _is_checked(recogniser: PatternRecogniser) -> bool:
    """Return whether the check of a recogniser makes a weak pattern certain."""
    return type(recogniser).__name__ == "ItFiscalCodeRecognizer"


def _make_exact(name: str, expression: str) -> str:
    for loose, exact in _EXACT.get(name, ()):
        expression = expression.replace(loose, exact)
    if name in _EDGELESS:
        return f"{LEFT}(?:{expression}){RIGHT}"
    return add_edges(expression)

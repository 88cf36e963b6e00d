"""The recognisers of a policy: Presidio's own where they are good, others where they fall short.

Both ways to run them, accelerated and not, take this one list, so that they can be compared.
"""

import logging
from collections.abc import Collection

from presidio_analyzer import EntityRecognizer, PatternRecognizer, predefined_recognizers

from redact.addresses import AddressRecogniser
from redact.announced import ANNOUNCED
from redact.cards import CardRecogniser
from redact.contacts import HostRecogniser, MailRecogniser, SpokenPhoneRecogniser
from redact.credentials import ShapeRecogniser
from redact.dates import BirthDateRecogniser, WrittenDateRecogniser
from redact.persons import (
    AccountRecogniser,
    AgeRecogniser,
    IntroducedRecogniser,
    PresentedRecogniser,
)
from redact.policy import Policy
from redact.vendor_keys import VendorContextRecogniser, VendorKeyRecogniser, load_vendor_keys

LANGUAGE = "en"

GENERIC = (
    "CryptoRecognizer",
    "DateRecognizer",
    "IbanRecognizer",
    "IpRecognizer",
    "MacAddressRecognizer",
    "UrlRecognizer",
)
NATIONAL = {
    "us": (
        "UsSsnRecognizer",
        "UsItinRecognizer",
        "UsPassportRecognizer",
        "UsLicenseRecognizer",
        "UsBankRecognizer",
        "MedicalLicenseRecognizer",
    ),
    "uk": ("NhsRecognizer", "UkNinoRecognizer"),
    "de": ("DeTaxIdRecognizer", "DeSocialSecurityRecognizer"),
    "es": ("EsNifRecognizer", "EsNieRecognizer"),
    "it": ("ItFiscalCodeRecognizer",),
    "in": ("InPanRecognizer", "InAadhaarRecognizer"),
    "pl": ("PlPeselRecognizer",),
    "fi": ("FiPersonalIdentityCodeRecognizer",),
    "se": ("SePersonnummerRecognizer",),
    "sg": ("SgFinRecognizer",),
    "au": ("AuTfnRecognizer", "AuMedicareRecognizer"),
    "ca": ("CaSinRecognizer",),
}
"""Presidio's recognisers by country, of those whose pattern or check digit is worth trusting."""

AS_NATIONAL_ID = frozenset(
    {
        "UK_NINO",
        "DE_TAX_ID",
        "DE_SOCIAL_SECURITY",
        "ES_NIF",
        "ES_NIE",
        "IT_FISCAL_CODE",
        "IN_PAN",
        "IN_AADHAAR",
        "PL_PESEL",
        "FI_PERSONAL_IDENTITY_CODE",
        "SE_PERSONNUMMER",
        "SG_NRIC_FIN",
        "AU_TFN",
        "AU_MEDICARE",
        "CA_SIN",
    }
)
"""Types of Presidio that a policy here calls ``NATIONAL_ID``."""


WEAK = 0.1
"""Patterns that score less are left out: any ten letters are no taxpayer number, context or not."""

LICENCE_CONTEXT = ["driver", "license", "licence", "permit", "driving"]
"""Presidio's list has `lic`, which is a part of `public` and `policy`."""


def build_recognisers(
    policy: Policy, wanted: Collection[str] | None = None
) -> list[EntityRecognizer]:
    """Make the recognisers that a policy asks for, in a fixed order; of ``wanted`` types only.

    Presidio's own log is turned off first: at some levels it prints what it found.
    """
    logging.getLogger("presidio-analyzer").disabled = True
    domains = policy.internal_domains
    keys = load_vendor_keys()
    own: list[EntityRecognizer] = [
        CardRecogniser(),
        MailRecogniser(domains),
        SpokenPhoneRecogniser(),
        AddressRecogniser(),
        BirthDateRecogniser(),
        WrittenDateRecogniser(),
        IntroducedRecogniser(),
        PresentedRecogniser(),
        AccountRecogniser(),
        AgeRecogniser(),
        VendorKeyRecogniser(keys),
        VendorContextRecogniser(keys),
        ShapeRecogniser(),
        *(make() for make in ANNOUNCED),
        *([HostRecogniser(domains)] if domains else []),
        predefined_recognizers.PhoneRecognizer(supported_regions=tuple(policy.regions)),
    ]
    national = [name for country in policy.countries for name in NATIONAL.get(country, ())]
    everything = [*own, *map(_stock, GENERIC), *map(_stock, national)]
    return [r for r in everything if wanted is None or r.supported_entities[0] in wanted]


def least_score(policy: Policy) -> float:
    """Return the score below which no rule of the policy counts anything."""
    overrides = [*policy.fields.values(), *policy.apps.values()]
    rules = [policy.entities, *(override.entities for override in overrides)]
    return min((rule.score for part in rules for rule in part.values()), default=1.0)


def _stock(name: str) -> EntityRecognizer:
    """Make one of Presidio's recognisers, without its weakest patterns."""
    recogniser = getattr(predefined_recognizers, name)(supported_language=LANGUAGE)
    if isinstance(recogniser, PatternRecognizer) and name not in GENERIC:
        own = vars(recogniser)
        own["patterns"] = [pattern for pattern in own["patterns"] if pattern.score >= WEAK]
    if recogniser.supported_entities[0] in AS_NATIONAL_ID:
        recogniser.supported_entities = ["NATIONAL_ID"]
    if name == "UsLicenseRecognizer":
        recogniser.context = LICENCE_CONTEXT
    return recogniser  # type: ignore[no-any-return]

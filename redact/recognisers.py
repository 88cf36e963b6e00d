"""The recognisers of a policy: Presidio's own where they are good, others where they fall short.

Both ways to run them, accelerated and not, take this one list, so that they can be compared.
"""

import logging

from presidio_analyzer import EntityRecognizer, predefined_recognizers

from redact.addresses import AddressRecogniser
from redact.cards import CardRecogniser
from redact.contacts import HostRecogniser, MailRecogniser, SpokenPhoneRecogniser
from redact.credentials import ShapeRecogniser, TellingKeyRecogniser
from redact.dates import BirthDateRecogniser, WrittenDateRecogniser
from redact.persons import AccountRecogniser, AgeRecogniser, IntroducedRecogniser
from redact.policy import Policy

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


def build_recognisers(policy: Policy) -> list[EntityRecognizer]:
    """Make the recognisers that a policy asks for, in a fixed order.

    Presidio's own log is turned off first: at some levels it prints what it found.
    """
    logging.getLogger("presidio-analyzer").disabled = True
    names = [*GENERIC, *(name for c in policy.countries for name in NATIONAL.get(c, ()))]
    stock = [getattr(predefined_recognizers, name)(supported_language=LANGUAGE) for name in names]
    phones = predefined_recognizers.PhoneRecognizer(supported_regions=tuple(policy.regions))
    own: list[EntityRecognizer] = [
        CardRecogniser(),
        MailRecogniser(policy.internal_domains),
        SpokenPhoneRecogniser(),
        AddressRecogniser(),
        BirthDateRecogniser(),
        WrittenDateRecogniser(),
        IntroducedRecogniser(),
        AccountRecogniser(),
        AgeRecogniser(),
        ShapeRecogniser(),
        TellingKeyRecogniser(),
    ]
    if policy.internal_domains:
        own.append(HostRecogniser(policy.internal_domains))
    return [*own, phones, *stock]

"""The types of personal data that goldpan knows, and what each means to a reader."""

from types import MappingProxyType

TYPES = MappingProxyType(
    {
        "PERSON": "a person's name",
        "USER_ID": "an account's name or number",
        "EMAIL_ADDRESS": "an e-mail address",
        "PHONE_NUMBER": "a telephone number",
        "STREET_ADDRESS": "a postal address or a part of one",
        "ZIP_CODE": "a postal code",
        "LOCATION": "a place",
        "ORGANIZATION": "an organisation",
        "NRP": "a nationality, religion or political group",
        "DATE_OF_BIRTH": "a birth date",
        "DATE_TIME": "any other date",
        "AGE": "a person's age",
        "CREDIT_CARD": "a payment card's number",
        "IBAN_CODE": "an international bank account number",
        "US_BANK_NUMBER": "a bank account number of the United States",
        "CRYPTO": "a wallet's address",
        "NATIONAL_ID": "a number that a state gave a person (tax, insurance, passport, licence)",
        "US_SSN": "a social security number of the United States",
        "US_ITIN": "a taxpayer number of the United States",
        "US_PASSPORT": "a passport number of the United States",
        "US_DRIVER_LICENSE": "a driving licence number of the United States",
        "UK_NHS": "a health service number of the United Kingdom",
        "MEDICAL_LICENSE": "a medical licence number",
        "MEDICAL_RECORD": "a number of a patient or of a medical record",
        "HEALTH_PLAN_ID": "a number of a member of a health plan or of an insurance policy",
        "IP_ADDRESS": "an internet address of a machine",
        "MAC_ADDRESS": "a hardware address",
        "HOST": "the name of a machine in an internal network",
        "URL": "a web address",
        "SECRET": "a key, token, password or other credential",
        "TITLE": "a form of address or a job",
        "VEHICLE_ID": "a vehicle's number or plate",
        "DEVICE_ID": "a serial number of a device",
        "CERTIFICATE_ID": "a number of a certificate or of a licence to practise",
        "FILE": "a picture, sound or document, in base64",
    }
)

NUMBER_LIKE = frozenset(
    {
        "PHONE_NUMBER",
        "CREDIT_CARD",
        "US_BANK_NUMBER",
        "US_DRIVER_LICENSE",
        "US_PASSPORT",
        "US_SSN",
        "US_ITIN",
        "UK_NHS",
        "NATIONAL_ID",
        "MEDICAL_LICENSE",
        "CRYPTO",
        "ZIP_CODE",
    }
)
"""Types that a number under a harmless key, or at the end of an identifier, is never taken for."""


BY_MODEL = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "TITLE"})
"""Types that the model for names finds in people's free text."""

_NAME_BEFORE = "after its name in the languages of the policy's countries"

HOW_FOUND = MappingProxyType(
    {
        "PERSON": "by the model in free text, after an introduction or a title, under a key, and "
        "wherever a name that was found stands again in the record",
        "USER_ID": "after `user id` and the like, and under a key",
        "EMAIL_ADDRESS": "by its form, in any script, also as `ana (at) example (dot) com`; surely "
        "with a public suffix or an internal domain, less so with other letters",
        "PHONE_NUMBER": "with a country's code or in groups that a region of the policy dials; "
        "digits "
        "alone after `phone`, `call`, `Tel.` and the like; nine digits or more in words",
        "STREET_ADDRESS": "by its form: number and street, box, suite, state and code",
        "ZIP_CODE": "after its name, within an address, and under a key",
        "LOCATION": "by the model in free text",
        "ORGANIZATION": "by the model in free text",
        "NRP": "by the model in free text",
        "DATE_OF_BIRTH": "a date after a word for birth, and under a key",
        "DATE_TIME": "by its form",
        "AGE": "a number that is said to be an age",
        "CREDIT_CARD": "12 to 19 digits in any usual grouping that pass Luhn's check and begin "
        "like a "
        "brand's, or after a word for a card",
        "IBAN_CODE": "by a country's length and the check of ISO 13616, grouped or not",
        "US_BANK_NUMBER": "after `account`, `routing number` and the like",
        "CRYPTO": "by form and check (Bitcoin), or as 40 hexadecimal digits after `0x` (Ethereum)",
        "NATIONAL_ID": f"{_NAME_BEFORE}; by form and check where letters or signs are a part of it",
        "US_SSN": "by its three groups, and nine digits after its name",
        "US_ITIN": "by its groups, and after its name",
        "US_PASSPORT": "after `passport`",
        "US_DRIVER_LICENSE": "after `driver's license` and the like",
        "UK_NHS": "by its groups and check digit, and ten digits after its name",
        "MEDICAL_LICENSE": "by form and check digit (DEA)",
        "MEDICAL_RECORD": "after its name (`MRN`, `hospital number`), and under a key",
        "HEALTH_PLAN_ID": "after its name (`member ID`, `Medicaid no.`)",
        "IP_ADDRESS": "by its form; loopback, masks and versions of four numbers are none",
        "MAC_ADDRESS": "by its form",
        "HOST": "a name below an internal domain of the policy",
        "URL": "by its form",
        "SECRET": "by the shape that its issuer gave it, and after a telling word or key",
        "TITLE": "by the model in free text",
        "VEHICLE_ID": "17 characters with the right check digit, and after its name or `plate`",
        "DEVICE_ID": "after its name (`serial number`, `S/N`, `IMEI`)",
        "CERTIFICATE_ID": "after its name (`nursing license number`)",
        "FILE": "as a data URL, and as a string of JSON that is base64 of no text",
    }
)
"""How each type is recognised, in one sentence; types that nothing finds are not here."""

BY_PATTERN = frozenset(HOW_FOUND) - {"LOCATION", "ORGANIZATION", "NRP", "TITLE"}
"""Types for which there is a recogniser without any model."""

DEPARTURES = (
    "Edges: a letter of another script and an underscore end a value; Presidio's `\\b` does not.",
    "Cards: any usual grouping, 12 to 19 digits; Presidio knows 13 to 19 in groups of four. Visa "
    "of "
    "13 digits and Maestro of fewer than 16 need a word for a card.",
    "Mail: no quotation marks, `=`, `/`, `&` or `|` in a mailbox; what is glued to the end is cut.",
    "IBAN: small letters, points and two spaces between groups; the length of the country.",
    "Internet addresses: no loopback, masks, versions or sections; IPv6 only as it is given out; "
    "what stands behind `/` is no part.",
    "Telephones: digits alone need a telling word; groups must be as one dials them; no extension.",
    "SSN: samples such as 333-33-3333 count; nine digits need their name.",
    "Numbers of digits alone (NHS, PESEL, TFN, SIN, Aadhaar, German tax, passports, licences, bank "
    "accounts) need their name directly before them, in place of a word within five words.",
    "PAN and NRIC in capitals only, unless their name stands before them.",
    "Medical licences, wallets and Italian codes have edges: no part of a longer code is one.",
)
"""Where the recognisers here differ from Presidio's of the same name, on purpose."""

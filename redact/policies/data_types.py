"""The types of personal data, each with a description for readers."""

from types import MappingProxyType

DATA_TYPES = MappingProxyType(
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
"""Types that a number under a harmless key, or at the end of an identifier, never gets."""


BY_MODEL = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "TITLE"})
"""Types that the name model finds in free text."""

DETECTION_NOTES = MappingProxyType(
    {
        "PERSON": "A model reads free text; a key such as `first_name`, or an introduction such as "
        "`my name is`, makes one; a name found anywhere in a record is looked for in all of it.",
        "USER_ID": "A key such as `customer_id`, or a word such as `username` before it; the "
        "field `user_id` always.",
        "EMAIL_ADDRESS": "The form of an address, with a public suffix or an internal domain of "
        "the policy; `at` and `dot` in words.",
        "PHONE_NUMBER": "A number with a country's code, or in groups that a region of the policy "
        "dials; digits alone after a word such as `phone`; nine digits or more in words.",
        "STREET_ADDRESS": "Number and street in the usual forms, or a key such as `address`.",
        "ZIP_CODE": "A key such as `zip`, or a code beside an address.",
        "LOCATION": "The model, in free text.",
        "ORGANIZATION": "The model, in free text.",
        "NRP": "The model, in free text.",
        "DATE_OF_BIRTH": "A date after words such as `born`, or under a key of birth.",
        "DATE_TIME": "The usual forms of a date, in digits or with the month's name; the model.",
        "AGE": "A number with words such as `years old`; the model.",
        "CREDIT_CARD": "12 to 19 digits in any usual grouping that pass Luhn's check and begin as "
        "a known brand does, or come after a word for a card.",
        "IBAN_CODE": "The length of a country and the check digits, grouped or not.",
        "US_BANK_NUMBER": "Digits after words such as `account number`, or under such a key.",
        "CRYPTO": "A wallet's address with its check sum (Bitcoin), or 40 hexadecimal digits "
        "behind `0x` (Ethereum).",
        "NATIONAL_ID": "The form of a country of the policy, with its check digit where it has "
        "one, or a word that announces it.",
        "US_SSN": "Three, two and four digits in ranges that are issued; without separators after "
        "a word that announces it.",
        "US_ITIN": "As a social security number, in the ranges of taxpayer numbers.",
        "US_PASSPORT": "Nine digits, or a letter and eight, after a word that announces it.",
        "US_DRIVER_LICENSE": "The forms of the states, after a word that announces it.",
        "UK_NHS": "Ten digits with their check digit.",
        "MEDICAL_LICENSE": "The form of a DEA number, with its check digit.",
        "MEDICAL_RECORD": "A key such as `mrn`, or a word that announces it.",
        "HEALTH_PLAN_ID": "A key, or words such as `member id` and `policy number` of a plan.",
        "CERTIFICATE_ID": "A key, or words such as `certificate number` before it.",
        "DEVICE_ID": "A key, or words such as `serial number` or `IMEI` before it.",
        "VEHICLE_ID": "17 characters with the check digit of a VIN; a plate after a word that "
        "announces it; a key such as `license_plate`.",
        "IP_ADDRESS": "The form of version 4 or 6; loopback, masks and versions of four numbers "
        "are none.",
        "MAC_ADDRESS": "Six pairs of hexadecimal digits.",
        "HOST": "A name that ends in an internal domain of the policy.",
        "URL": "The form of a web address.",
        "SECRET": "The published shapes of vendors' keys, tokens and key files; what a key, a "
        "header, an option or a word such as `password` announces; passwords in addresses.",
        "TITLE": "The model, in free text.",
        "FILE": "Base64 in content parts and data URLs: a stand-in with media type and size.",
    }
)
"""How each type is recognised, in one or two sentences."""

BY_PATTERN = frozenset(DETECTION_NOTES) - {"LOCATION", "ORGANIZATION", "NRP", "TITLE"}
"""Types with a recogniser that needs no model."""

PRESIDIO_DIFFERENCES = (
    "Edges: a letter of another script and an underscore end a value; Presidio's `\\b` does not.",
    "Cards: any usual grouping, 12 to 19 digits; Presidio knows 13 to 19 in fours. Visa of "
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
"""Deliberate differences from Presidio's recognisers of the same name."""

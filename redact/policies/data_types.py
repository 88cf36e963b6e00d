"""The types of personal data, each with a description for readers."""

from types import MappingProxyType

DATA_TYPES = MappingProxyType(
    {
        "PERSON": "a person's name",
        "USER_ID": "an account's name or number",
        "EMAIL_ADDRESS": "an e-mail address",
        "PHONE_NUMBER": "a telephone number",
        "STREET_ADDRESS": "a postal address or part of one",
        "ZIP_CODE": "a postal code",
        "LOCATION": "a place",
        "ORGANIZATION": "an organisation",
        "NRP": "a nationality, religion or political group",
        "DATE_OF_BIRTH": "a birth date",
        "DATE_TIME": "any other date",
        "AGE": "a person's age",
        "CREDIT_CARD": "a payment card's number",
        "IBAN_CODE": "an international bank account number",
        "US_BANK_NUMBER": "a US bank account number",
        "CRYPTO": "a wallet's address",
        "NATIONAL_ID": "a personal number issued by a state (tax, insurance, passport, licence)",
        "US_SSN": "a US social security number",
        "US_ITIN": "a US taxpayer number",
        "US_PASSPORT": "a US passport number",
        "US_DRIVER_LICENSE": "a US driving licence number",
        "UK_NHS": "a UK health service number",
        "MEDICAL_LICENSE": "a medical licence number",
        "MEDICAL_RECORD": "a number of a patient or medical record",
        "HEALTH_PLAN_ID": "a member number of a health plan or insurance policy",
        "IP_ADDRESS": "an IP address",
        "MAC_ADDRESS": "a hardware address",
        "HOST": "a host name in an internal network",
        "URL": "a web address",
        "SECRET": "a key, token, password or other credential",
        "TITLE": "a form of address or a job title",
        "VEHICLE_ID": "a vehicle identification number or plate",
        "DEVICE_ID": "a serial number of a device",
        "CERTIFICATE_ID": "a number of a certificate or licence to practise",
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
        "PERSON": "By a model in free text, a key such as `first_name`, or an introduction such as "
        "`my name is`; a name found anywhere in a record is searched for in all of it.",
        "USER_ID": "A key such as `customer_id`, or a word such as `username` before it; the "
        "field `user_id` always.",
        "EMAIL_ADDRESS": "The form of an address, with a public suffix or an internal domain of "
        "the policy; `at` and `dot` in words.",
        "PHONE_NUMBER": "A number with a country code, or in groups as dialled in a region of the "
        "policy; digits alone after a word such as `phone`; nine or more digits in words.",
        "STREET_ADDRESS": "Number and street in the usual forms, or a key such as `address`.",
        "ZIP_CODE": "A key such as `zip`, or a code beside an address.",
        "LOCATION": "The model, in free text.",
        "ORGANIZATION": "The model, in free text.",
        "NRP": "The model, in free text.",
        "DATE_OF_BIRTH": "A date after words such as `born`, or under a key of birth.",
        "DATE_TIME": "The usual forms of a date, in digits or with the month's name; the model.",
        "AGE": "A number with words such as `years old`; the model.",
        "CREDIT_CARD": "12 to 19 digits in any usual grouping that pass the Luhn check and begin "
        "like a card brand, or follow a word for a card.",
        "IBAN_CODE": "The length for its country and the check digits, grouped or not.",
        "US_BANK_NUMBER": "Digits after words such as `account number`, or under such a key; "
        "references of refunds and payouts such as `rf_82090621`.",
        "CRYPTO": "A wallet's address with its checksum (Bitcoin), or 40 hexadecimal digits "
        "after `0x` (Ethereum).",
        "NATIONAL_ID": "The form of a country of the policy, with its check digit if it has one, "
        "or a word that announces it.",
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
        "IP_ADDRESS": "The form of version 4 or 6, except loopback, masks and versions of four "
        "numbers.",
        "MAC_ADDRESS": "Six pairs of hexadecimal digits.",
        "HOST": "A name that ends in an internal domain of the policy.",
        "URL": "The form of a web address.",
        "SECRET": "The published formats of vendors' keys, tokens and key files; values announced "
        "by a key, a header, an option or a word such as `password`; passwords in URLs.",
        "TITLE": "The model, in free text.",
        "FILE": "Base64 in content parts and data URLs: a stand-in with media type and size.",
    }
)
"""How each type is recognised, in one or two sentences."""

BY_PATTERN = frozenset(DETECTION_NOTES) - {"LOCATION", "ORGANIZATION", "NRP", "TITLE"}
"""Types with a recogniser that needs no model."""

PRESIDIO_DIFFERENCES = (
    "Edges: a letter of another script or an underscore ends a value, unlike Presidio's `\\b`.",
    "Cards: any usual grouping, 12 to 19 digits; Presidio accepts 13 to 19 in fours. Visa of "
    "13 digits and Maestro of fewer than 16 require a word for a card.",
    "Mail: no quotation marks, `=`, `/`, `&` or `|` in a mailbox; words glued to the end are cut.",
    "IBAN: lower case, dots and two spaces between groups; the length for the country.",
    "IP addresses: no loopback, masks, versions or sections; IPv6 only in assigned ranges; the "
    "part after `/` is not included.",
    "Telephones: digits alone require a word such as `phone`; groups as dialled; no extension.",
    "SSN: samples such as 333-33-3333 count; nine bare digits require their name.",
    "Numbers of digits alone (NHS, PESEL, TFN, SIN, Aadhaar, German tax, passports, licences, bank "
    "accounts) require their name directly before them, instead of a word within five words.",
    "PAN and NRIC in capitals only, unless they follow their name.",
    "Medical licences, wallets and Italian codes have edges: part of a longer code does not count.",
)
"""Deliberate differences from Presidio's recognisers of the same name."""

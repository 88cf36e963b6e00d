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

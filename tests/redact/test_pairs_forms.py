"""Notations of fields by people and programs: one example each, with the pairs in it."""

import pytest

from redact.pairs import read_pairs

MAIL = "ana@example.com"
NAME, SSN = ("Name", "Ana Ruiz"), ("SSN", "743-28-6015")
PERSON = [("first_name", "Ana"), ("last_name", "Ruiz"), ("email", MAIL)]

FORMS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "commas, then a line": (
        f"Customer: Name: Ana Ruiz, Email: {MAIL} | SSN: 743-28-6015; ok",
        [NAME, ("Email", MAIL), SSN],
    ),
    "nothing but spaces between": (
        f"Name: Ana Ruiz Email: {MAIL} Date of birth: 1979-08-30",
        [NAME, ("Email", MAIL), ("Date of birth", "1979-08-30")],
    ),
    "a sentence before and after": (
        f"please write your first name: ana, thanks. my email: {MAIL} and so on.",
        [("first name", "ana"), ("my email", MAIL)],
    ),
    "in brackets": (f"Dear Ana (Email: {MAIL}, SSN: 743-28-6015), bye", [("Email", MAIL), SSN]),
    "an aside": (
        "Name: Ana Ruiz (she/her)\nPhone (home): (415) 555-0132",
        [NAME, ("Phone (home)", "(415) 555-0132")],
    ),
    "full-width colons": (
        "\u59d3\u540d\uff1a\u7530\u4e2d \u592a\u90ce\uff0c\u7535\u8bdd\uff1a090-1234",
        [("\u59d3\u540d", "\u7530\u4e2d \u592a\u90ce"), ("\u7535\u8bdd", "090-1234")],
    ),
    "colons below each other": (
        "first_name : Ana\nlast_name  : Ruiz\nemail      : ana@example.com",
        PERSON,
    ),
    "keys aligned to the right": (
        f"*** 1. row ***\nfirst_name: Ana\n last_name: Ruiz\n     email: {MAIL}",
        PERSON,
    ),
    "a list below its key": (
        f"emails:\n  - {MAIL}\n  - bo@example.com\nssn: 743-28-6015",
        [("emails", MAIL), ("emails", "bo@example.com"), ("ssn", "743-28-6015")],
    ),
    "the value on the next line": (f"Email:\n{MAIL}\n", [("Email", MAIL)]),
    "a block of YAML": ("name: >\n  Ana\n  Ruiz\nn: 1", [("name", "Ana\n  Ruiz"), ("n", "1")]),
    "a struct of Go": (
        f"{{first_name:Ana last_name:Ruiz email:{MAIL}}}",
        PERSON,
    ),
    "a struct of Rust": (
        f'User {{ first_name: "Ana", last_name: "Ruiz", email: "{MAIL}" }}',
        PERSON,
    ),
    "an object of Java": (
        f"User{{first_name='Ana', last_name='Ruiz', email='{MAIL}'}}",
        PERSON,
    ),
    "a data class without quotes": (f"User(name=Ana Ruiz, email={MAIL})", [
        ("name", "Ana Ruiz"), ("email", MAIL),
    ]),
    "a hash of Ruby": (f':first_name=>"Ana", "last_name"=>"Ruiz", :email => "{MAIL}"', PERSON),
    "print_r of PHP": (
        f"Array\n(\n    [first_name] => Ana\n    [last_name] => Ruiz\n    [email] => {MAIL}\n)",
        PERSON,
    ),
    "constructors": (
        f"User(email=Email('{MAIL}'), dob=datetime.date(1979, 8, 3), tags=['a', 'b'])",
        [("email", MAIL), ("dob", "1979-08-03"), ("tags", "a"), ("tags", "b")],
    ),
    "an environment": (
        "export NAME=ana\nADDRESS=12 Main St, Springfield\n",
        [("NAME", "ana"), ("ADDRESS", "12 Main St, Springfield")],
    ),
    "settings": (
        f"[user]\nname = Ana Ruiz\nemail = {MAIL} ; work\n",
        [("name", "Ana Ruiz"), ("email", MAIL)],
    ),
    "a request": (
        "GET /u?name=Ana+Maria&email=ana%40example.com HTTP/1.1\nX-Email: ana@example.com\n",
        [("name", "Ana Maria"), ("email", MAIL), ("X-Email", MAIL)],
    ),
    "a statement of SQL": (
        f"UPDATE t SET first_name = 'Ana', last_name='Ruiz' WHERE email = '{MAIL}'",  # noqa: S608
        PERSON,
    ),
    "a command": (
        f"tool --name 'Ana Ruiz' --email {MAIL} --ssn=743-28-6015",
        [("name", "Ana Ruiz"), ("email", MAIL), ("ssn", "743-28-6015")],
    ),
    "options of curl": (
        f"curl -H 'X-Email: {MAIL}' --data 'ssn=743-28-6015&n=1'",
        [("X-Email", MAIL), ("ssn", "743-28-6015")],
    ),
    "a token with colons": (
        "user_id: whatsapp:+12125550187",
        [("user_id", "whatsapp:+12125550187"), ("whatsapp", "+12125550187")],
    ),
    "lines within a string of a list": (
        f"['Name: Ana Ruiz\\nEmail: {MAIL}', 'b']",
        [NAME, ("Email", MAIL)],
    ),
    "a header of mail": (
        f"From: Ana Ruiz <{MAIL}>\nTo: {MAIL}",
        [("From", "Ana Ruiz"), ("To", MAIL)],
    ),
    "arrows": (f"name \u2192 Ana Ruiz\nemail -> {MAIL}", [("name", "Ana Ruiz"), ("email", MAIL)]),
    "columns of spaces and tabs": (
        f"Email - {MAIL}\nName\tAna Ruiz\nSSN      743-28-6015\n",
        [("Email", MAIL), NAME, SSN],
    ),
    "a table of pandas": (
        "  first_name last_name            email\n0        Ana      Ruiz  ana@example.com\n",
        PERSON,
    ),
    "a record of psql": (
        f"-[ RECORD 1 ]---\nfirst_name | Ana\nlast_name  | Ruiz\nemail      | {MAIL}\n",
        PERSON,
    ),
    "a table of keys": (f"|Name|Ana Ruiz|\n|Email|{MAIL}|", [NAME, ("Email", MAIL)]),
    "a row of HTML": (
        f"<table><tr><th>Name</th><td>Ana Ruiz</td></tr><tr><td>Email:</td><td>{MAIL}</td></tr>",
        [NAME, ("Email", MAIL)],
    ),
    "bold words of HTML": (
        f"<p><b>Email:</b> {MAIL}<br><strong>Name</strong>: Ana Ruiz</p>"
        "<p>SSN: <i>743-28-6015</i></p>",
        [("Email", MAIL), NAME, SSN],
    ),
    "elements named by an attribute": (
        f'<entry key="email">{MAIL}</entry><key>ssn</key><string>743</string>',
        [("email", MAIL), ("ssn", "743")],
    ),
    "an element cut off": (
        "<guest><ssn>743</ssn><name>Ana Ru",
        [("ssn", "743"), ("name", "Ana Ru")],
    ),
    "JSON with bare values": (
        f'{{"first_name": Ana, /* x */ \'last_name\': "Ruiz" "email": "{MAIL}",}}',
        PERSON,
    ),
    "JSON with raw line breaks": (
        '{"name": "Ana\nRuiz", "n": 1',
        [("name", "Ana\nRuiz"), ("n", "1")],
    ),
    "a value in percent that is JSON": (
        "payload=%7B%22email%22%3A%22ana%40example.com%22%7D&b=1",
        [("email", MAIL), ("b", "1")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read(form: str) -> None:
    """The keys are in order with the values that a reader sees, none with part of another."""
    text, expected = FORMS[form]
    found = [(pair.key, pair.value) for pair in read_pairs(text)]
    assert [pair for pair in found if pair in expected] == expected

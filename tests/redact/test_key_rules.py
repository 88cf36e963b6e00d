"""The words of a key show whether its value is personal, in any of eight languages."""

import random
from collections.abc import Callable

from redact.field_keys.field_key import FieldKey
from redact.field_keys.key_book import KeyBook, classify_owner
from redact.field_keys.key_meaning import HARMLESS
from redact.field_keys.key_words import WordCategory, load_key_words
from redact.policies.data_types import DATA_TYPES
from redact.policies.policy import KeyRules

BOOK = KeyBook(KeyRules())

PERSONAL = {
    "PERSON": """
        first_name firstName FirstName FIRST-NAME First_Name firstname given_name family_name
        lastName surname maiden_name mothers_maiden_name customer[first_name]
        billing_first_name billingFirstName shipping.lastName guest_full_name
        account_holder_name accountHolderName cardholder_name CardholderName name_on_card
        passenger_name passengerName2 patientName contact_name emergency_contact_name
        spouse_name buyerName employee_full_name next_of_kin applicant_surname
        legal_guardian_name reviewer_name requester_name father_name middle_name vorname
        nachname Familienname kundenname kundenvorname Geburtsname ansprechpartner
        vollständiger_name Karteninhaber patientenname empfängername mitarbeiter_name prénom
        prenom nom_de_famille nom_client nom_du_client nom_complet nom_patient prénom_patient
        nom_naissance nomDuPassager nombre_completo apellido apellidos primer_apellido
        nombre_cliente nombre_del_paciente nombreTitular segundo_apellido nome_completo
        sobrenome nome_do_cliente nomeCliente primeiro_nome nome_da_mae cognome nome_e_cognome
        nome_cliente intestatario nominativo voornaam achternaam klantnaam volledige_naam
        naam_klant contactpersoon imię nazwisko imię_i_nazwisko imie_nazwisko nazwa_klienta
        nazwisko_panieńskie förnamn efternamn kundnamn имя_клиента фамилия фио отчество 氏名
        顧客名 患者名 姓名 客户姓名
    """,
    "EMAIL_ADDRESS": """
        email Email e-mail E_Mail user.email contact_email ns2:E-Mail HTTP_X_EMAIL emailAddress
        customeremail billing_email_address email_1 workEmail emails email_id primary-email
        secondary_email_addr emailadresse E-Mail-Adresse kunden_email courriel adresse_mail
        adresse_e-mail correo correo_electronico correoElectrónico email_cliente
        indirizzo_email endereço_email e-mailadres emailadres adres_email poczta_elektroniczna
        e-post epostadress почта электронная_почта メールアドレス 邮箱 user_email_address
        alternate_email supervisorEmail posta_elettronica dirección_de_correo
    """,
    "PHONE_NUMBER": """
        phone phoneNumber phone_number home_phone phone_home mobile_phone cellPhone
        cell_phone_number whatsapp_number whatsapp contact_number fax faxNumber tel telephone
        landline phone2 workPhone PHONE_NO customerPhone emergency_contact_phone billing[phone]
        msisdn caller_number callback_number telefonnummer handynummer Telefon mobilnummer
        rufnummer privattelefon Telefonnummer_privat téléphone numéro_de_téléphone
        numero_telephone tél_portable telephone_portable teléfono numero_de_telefono
        teléfono_móvil celular telefono_cliente telefone telemóvel número_de_telefone
        celular_cliente cellulare numero_di_telefono telefoon telefoonnummer mobiel_nummer
        numer_telefonu nr_telefonu telefon_komórkowy mobiltelefonnummer телефон номер_телефона
        電話番号 携帯電話 手机号 联系电话
    """,
    "DATE_OF_BIRTH": """
        dob DOB date_of_birth dateOfBirth birth_date birthDate birthday customer_birth_date
        patientDob year_of_birth birthYear geburtsdatum Geburtstag geb_datum date_naissance
        date_de_naissance fecha_nacimiento fecha_de_nacimiento data_nascimento dataDeNascimento
        data_di_nascita geboortedatum data_urodzenia födelsedatum дата_рождения 生年月日
        出生日期 passenger_date_of_birth guest.birthdate applicantDOB
    """,
    "STREET_ADDRESS": """
        street street_name streetAddress address_line_1 addressLine2 home_address
        billing_address shippingAddress mailing_address residential_address house_number
        customer_address postal_address straße strasse Hausnummer anschrift lieferadresse
        rechnungsadresse kundenadresse wohnanschrift rue adresse_postale adresse_de_livraison
        calle dirección direccion_de_envio domicilio endereço rua logradouro indirizzo
        indirizzo_di_spedizione straat huisnummer woonadres ulica adres_zamieszkania gatuadress
        адрес улица 住所 地址 收货地址
    """,
    "ZIP_CODE": """
        zip zip_code zipCode postal_code postcode billing_zip shippingPostalCode plz
        postleitzahl code_postal codigo_postal código_postal codice_postale kod_pocztowy
        postnummer 郵便番号 邮编 cep
    """,
    "US_SSN": """
        ssn SSN customer_ssn spouse_ssn applicantSSN CUSTOMER_SSN_1 customer_ssn_number
        ssn_number social_security_number socialSecurityNumber employeeSsn social-security-no
        patient.ssn
    """,
    "NATIONAL_ID": """
        passport passport_number passportNo PASSPORT_ID passenger_passport_number national_id
        tax_id taxId tin drivers_license driver_license_number driving_licence
        identity_card_number nationalIdNumber customer_tax_number reisepassnummer ausweisnummer
        personalausweisnummer steuer_id steuernummer führerscheinnummer
        sozialversicherungsnummer numéro_de_passeport numero_securite_sociale carte_identité
        pasaporte dni numero_de_pasaporte número_de_identificación cpf passaporte rg cnh
        codice_fiscale codiceFiscale numero_passaporto carta_di_identità bsn paspoortnummer
        rijbewijs pesel numer_paszportu dowód_osobisty nip personnummer паспорт инн
        マイナンバー 身份证号 护照号
    """,
    "CREDIT_CARD": """
        card_number cardNumber credit_card_number creditCard cc_number ccnum cvv cvc
        card_security_code payment_card_number pan_number debit_card_number customer_card_no
        kreditkartennummer kartennummer numéro_de_carte numero_carte_bancaire numero_de_tarjeta
        tarjeta_de_credito número_do_cartão cartao_de_credito numero_carta carta_di_credito
        creditcardnummer numer_karty カード番号 卡号 номер_карты
    """,
    "US_BANK_NUMBER": """
        account_number accountNumber bank_account bank_account_number routing_number routingNo
        aba_number sort_code kontonummer bankverbindung numéro_de_compte cuenta_bancaria
        numero_de_cuenta conta_bancária numero_conto rekeningnummer numer_konta numer_rachunku
        customerAccountNumber 口座番号 银行账号
    """,
    "IBAN_CODE": "iban IBAN customer_iban ibanNumber iban_code",
    "SECRET": """
        password Password oldPassword new_password db_password DB_PASSWORD DATABASE_PASSWORD
        passwd pwd userPassword smtp_pass secret client_secret clientSecret webhook_secret_key
        SECRET_KEY AWS_SECRET_ACCESS_KEY BACKUP_AWS_SECRET_ACCESS_KEY api_key apiKey X-Api-Key
        openai_api_key NPM_AUTH_TOKEN access_token refreshToken bearer_token private_key
        authorization Proxy-Authorization cookie Set-Cookie session_token password_hash
        credentials encryption_key otp verification_code password_confirmation confirm_password
        connection_string passwort kennwort benutzerpasswort datenbank_passwort mot_de_passe
        motDePasse clé_api contraseña contraseña_nueva clave_secreta senha senha_usuario
        chave_api chiave_segreta wachtwoord nieuw_wachtwoord hasło haslo_uzytkownika lösenord
        пароль パスワード 密码
    """,
    "IP_ADDRESS": """
        ip ip_address ipAddress client_ip remote_addr X-Forwarded-For source_ip user_ip_address
        ip_adresse adresse_ip direccion_ip private_ip_address IpV6Address
    """,
    "MAC_ADDRESS": "mac_address macAddress device_mac_address mac",
    "USER_ID": """
        user_id userId username user_name customer_id customerId account_id member_id login
        customer_number customerNumber kundennummer benutzername nom_utilisateur
        nombre_de_usuario nome_utente gebruikersnaam klantnummer nazwa_użytkownika användarnamn
        numéro_client membership_number employee_id ユーザー名 用户名
    """,
    "MEDICAL_RECORD": """
        mrn medical_record_number patient_id patientId insurance_number health_plan_number
        health_insurance_id patientennummer versichertennummer numéro_patient historia_clinica
        numer_pacjenta cartella_clinica 患者番号 病历号
    """,
    "VEHICLE_ID": """
        vin license_plate licensePlateNumber vehicle_registration number_plate kennzeichen
        plaque_immatriculation matrícula targa kenteken numer_rejestracyjny 车牌号
    """,
}  # fmt: skip

VAGUE = """
    name address user token account contact customer author owner sender display_name
    displayName mobile wallet plate plumber_name hairStylistName memory_address send_email
    resetPassword created_by assignee card pass benutzer usuario utilisateur
"""

NO_DATUM = """
    email_count emails_sent phone_verified password_min_length email_sent_at name_length
    has_password is_email hasEmail token_count max_tokens MAX_TOKENS total_tokens input_tokens
    secret_version address_type email_template phone_type phone_kind card_brand card_last4
    passport_required password_policy author_count passenger_count email_bounced
    password_reset_required password_strength secrets_manager secretion_rate passport_control
    passports_checked fax_machine address_validation street_lighting contact_reason
    account_type email_domain phone_country_code password_expires_at token_type
    token_ttl_seconds TOKEN_TTL_SECONDS PASSWORD_MIN_LENGTH cookie_domain cookie_consent
    authorization_url token_endpoint secret_name password_field email_subject email_body
    phone_model address_book email_provider num_passengers requires_passport use_email
    email_enabled sms_enabled ip_version ip_range passport_expiry email_verified_at
    isEmailVerified card_expiry card_type name_servers pass_rate nombre_de_pages
    customer_service user_agent user_type userRole customer_segment patient_count guest_count
    author_role password_changed_at ssn_required dob_format birth_certificate_required
    next_page_token clientToken idempotencyToken eos_token product_name productName file_name
    fileName filename app_name tool_name model_name city_name event_name host_name hostname
    class_name className company_name function.name hotel_name business_name school_name
    department_name team_name project_name table_name column_name service_name serviceName
    serviceFullName company_legal_name brand_name bucket_name queue_name firmenname produktname
    dateiname klassenname ortsname stadtname abteilungsname nom_produit nom_fichier
    nom_du_produit nom_entreprise nom_de_la_ville nombre_producto nombre_de_archivo
    nombre_empresa nome_produto nome_arquivo nome_da_empresa nome_prodotto nome_file
    nome_azienda productnaam bestandsnaam bedrijfsnaam nazwa_produktu nazwa_pliku nazwa_firmy
    produktnamn filnamn ファイル名 商品名 会社名 文件名 公司名称 имя_файла smartphone
    microphone headphones primary_key public_key foreign_key sort_key tokenizer status colour
    width notes message content summary title subject body comment telefon_typ
    e-mail_verifiziert passwort_vergessen adresstyp téléphone_vérifié type_adresse
    contraseña_olvidada tipo_direccion senha_esquecida tipo_telefone tipo_indirizzo
"""

NUMBERS_OF_THINGS = """
    order_id orderId order_number tracking_number trackingNumber ticket ticket_id sku trace_id
    request_id flight_number room_number version_number invoice_number shipment_id job_id
    batch_number event_id parcel_id contract_number serial_number session_id item_id product_id
    phone_number_id address_id token_id created_at updatedAt timestamp total price amount
    quantity balance bestellnummer Rechnungsnummer auftragsnummer sendungsnummer buchungsnummer
    vorgangsnummer numero_de_commande numéro_commande numero_facture numero_de_pedido
    numero_factura número_pedido numero_do_pedido número_da_fatura numero_ordine numero_fattura
    ordernummer factuurnummer bestelnummer numer_zamówienia numer_faktury fakturanummer
    номер_заказа 注文番号 订单号 betrag gesamtbetrag datum montant prix precio fecha preço
    prezzo prijs cena kwota
"""


def test_keys_name_their_datum() -> None:
    """A key that names a datum of a person says which, whatever its language and its style."""
    asked = [(key, kind) for kind, keys in PERSONAL.items() for key in keys.split()]
    wrong = {key: BOOK.key(key) for key, kind in asked if BOOK.rule(key) != kind}
    assert wrong == {}
    assert {key for key, _ in asked if not BOOK.key(key).certain} == set()
    assert len(asked) > 400


def test_vague_keys_ask_for_the_value() -> None:
    """A key that can mean several things names a type, but the value has to look like it."""
    vague = {key: BOOK.key(key) for key in VAGUE.split()}
    assert {key for key, known in vague.items() if not known.rule or known.certain} == set()


def test_facts_about_a_datum_and_names_of_things_are_no_data() -> None:
    """`email_verified`, `max_tokens` and `file_name` hold nothing of a person."""
    assert {key: BOOK.rule(key) for key in NO_DATUM.split() if BOOK.rule(key)} == {}


def test_numbers_of_things_are_harmless() -> None:
    """A number under an order's id, a time or an amount is no phone and no card."""
    rules = {key: BOOK.rule(key) for key in NUMBERS_OF_THINGS.split()}
    assert {key: rule for key, rule in rules.items() if rule != HARMLESS} == {}


STYLES: tuple[Callable[[list[str]], str], ...] = (
    "_".join,
    "-".join,
    ".".join,
    " ".join,
    lambda parts: parts[0] + "".join(part.capitalize() for part in parts[1:]),
    lambda parts: "".join(part.capitalize() for part in parts),
    lambda parts: "_".join(parts).upper(),
    lambda parts: parts[0] + "".join(f"[{part}]" for part in parts[1:]),
)
PREFIXES = (
    "",
    "customer",
    "billing",
    "old",
    "applicant",
    "my",
    "xq7",
    "spouse",
    "api",
    "secondary",
)
TELLING = (
    ("first name", "PERSON"), ("surname", "PERSON"), ("email", "EMAIL_ADDRESS"), ("ssn", "US_SSN"),
    ("phone number", "PHONE_NUMBER"), ("birth date", "DATE_OF_BIRTH"), ("iban", "IBAN_CODE"),
    ("passport number", "NATIONAL_ID"), ("password", "SECRET"), ("api key", "SECRET"),
    ("street", "STREET_ADDRESS"), ("zip code", "ZIP_CODE"), ("card number", "CREDIT_CARD"),
    ("telefonnummer", "PHONE_NUMBER"), ("nachname", "PERSON"), ("contraseña", "SECRET"),
    ("mot de passe", "SECRET"), ("codice fiscale", "NATIONAL_ID"),
    ("geboortedatum", "DATE_OF_BIRTH"),
    ("nazwisko", "PERSON"), ("apellido", "PERSON"), ("account number", "US_BANK_NUMBER"),
)  # fmt: skip
NEUTRAL = ("", "", "1", "value", "text", "main", "2")
FACTS = ("verified", "count", "type", "required", "template", "status", "updated at", "is valid")


def test_any_style_and_any_words_around_the_word_that_names_a_datum() -> None:
    """Prefixes, numbers and spelling do not hide what a key names; a fact after it does."""
    seed = random.Random(12)  # noqa: S311  # no secret
    for _ in range(4_000):
        telling, kind = seed.choice(TELLING)
        style = seed.choice(STYLES)
        before, after = seed.choice(PREFIXES).split(), seed.choice(NEUTRAL).split()
        key = style([*before, *telling.split(), *after])
        assert BOOK.rule(key) == kind, key
        fact = style([*before, *telling.split(), *seed.choice(FACTS).split()])
        assert not BOOK.rule(fact), fact


def test_any_text_is_a_key() -> None:
    """Signs of all scripts, long keys and empty ones are read without an error."""
    seed = random.Random(3)  # noqa: S311  # no secret
    signs = "abcXYZ_-.[]: 019éßжяп名前の電\u0301\ud800\U0001f600\\\"'"
    for _ in range(2_000):
        key = "".join(seed.choices(signs, k=seed.randrange(200)))
        known = BOOK.named(key)
        assert known.rule is None or known.rule == HARMLESS or known.rule in DATA_TYPES


def test_rules_of_a_policy_win_over_words() -> None:
    """An author may call a key personal or harmless; a star does not silence what a key names."""
    rules = KeyRules(
        personal={"badge_no": "USER_ID", "crew_*": "PERSON", "vin": "SECRET"},
        harmless=["mrn", "*_number"],
    )
    book = KeyBook(rules)
    assert book.rule("badgeNo") == "USER_ID"
    assert book.rule("crew_7") == "PERSON"
    assert book.rule("vin") == "SECRET"
    assert book.rule("mrn") == HARMLESS
    assert book.rule("customer_ssn_number") == "US_SSN"
    assert book.rule("shelf_number") == HARMLESS
    assert all(book.key(key).certain for key in ("badge_no", "crew_7", "vin"))


def test_words_can_be_switched_off() -> None:
    """A policy that lists its keys itself is not added to."""
    book = KeyBook(KeyRules(words=False, personal={"mail": "EMAIL_ADDRESS"}))
    assert book.rule("mail") == "EMAIL_ADDRESS"
    assert book.rule("password") is None


def test_parts_of_a_name_are_known_in_other_languages() -> None:
    """First name and surname are joined to one person, so they must be distinguished."""
    for key in (
        "first_name",
        "vorname",
        "prénom",
        "voornaam",
        "imię",
        "förnamn",
        "nome_di_battesimo",
    ):
        assert BOOK.key(key).part == "given", key
    for key in (
        "last_name",
        "nachname",
        "apellido",
        "cognome",
        "achternaam",
        "nazwisko",
        "фамилия",
        "sobrenome",
    ):
        assert BOOK.key(key).part == "family", key
    assert BOOK.key("name").part == "name"


def test_neighbours_show_a_person_or_a_thing() -> None:
    """A name beside a price is a thing's, beside an e-mail address a person's."""

    def shown(*names: str) -> str:
        return classify_owner(map(BOOK.key, names))

    assert shown("name", "price", "sku") == "thing"
    assert shown("name", "email") == "person"
    assert shown("name", "version", "telefonnummer") == "person"
    assert shown("name", "note") == ""


def test_the_list_of_words_is_sound() -> None:
    """Types exist, and no word that names a datum also turns one into a fact."""
    for phrase, word in load_key_words().by_words.items():
        assert not word.type or word.type in DATA_TYPES, phrase
        assert not (word.type and word.cat & (WordCategory.ABOUT | WordCategory.ASKS)), phrase


def test_an_answer_is_cached() -> None:
    """The same key costs no second reading."""
    known = BOOK.key("remembered_email")
    assert isinstance(known, FieldKey)
    assert BOOK.key("remembered_email") is known

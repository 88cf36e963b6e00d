"""Texts without names: code, docstrings, logs, everyday messages in four languages, terms.

Code and docstrings are from the Python that runs this; log lines are drawn with a seed. The others
were written for this benchmark and are invented.
"""

import ast
import re
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

_MODULES = [
    "argparse",
    "bisect",
    "calendar",
    "cmd",
    "codecs",
    "colorsys",
    "configparser",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "difflib",
    "dis",
    "enum",
    "filecmp",
    "fileinput",
    "fnmatch",
    "fractions",
    "functools",
    "getopt",
    "gettext",
    "glob",
    "graphlib",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html/parser",
    "inspect",
    "io",
    "ipaddress",
    "json/decoder",
    "json/encoder",
    "keyword",
    "linecache",
    "locale",
    "lzma",
    "mimetypes",
    "netrc",
    "numbers",
    "operator",
    "optparse",
    "pathlib",
    "pickle",
    "platform",
    "plistlib",
    "pprint",
    "profile",
    "queue",
    "quopri",
    "random",
    "reprlib",
    "rlcompleter",
    "sched",
    "secrets",
    "selectors",
    "shelve",
    "shlex",
    "shutil",
    "socket",
    "ssl",
    "stat",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "subprocess",
    "symtable",
    "tabnanny",
    "tarfile",
    "tempfile",
    "textwrap",
    "threading",
    "timeit",
    "token",
    "tokenize",
    "trace",
    "tracemalloc",
    "types",
    "typing",
    "urllib/parse",
    "uuid",
    "warnings",
    "wave",
    "weakref",
    "webbrowser",
    "zipapp",
    "zipfile",
]
_NAMES_PEOPLE = re.compile(r"(?i)author|written|contribut|copyright|thanks|@|credit|von ")
_CHUNK = 700
"""Characters of code that make one message."""


def _sources() -> Iterator[str]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    for name in _MODULES:
        path = folder / f"{name}.py"
        if path.exists():
            yield path.read_text(encoding="utf-8")


def code() -> Iterator[str]:
    """Yield pieces of the standard library's source; lines that credit people are left out."""
    for source in _sources():
        lines = [line for line in source.splitlines() if not _NAMES_PEOPLE.search(line)]
        text = "\n".join(lines)
        yield from (text[at : at + _CHUNK] for at in range(0, min(len(text), 6_000), _CHUNK))


def docstrings() -> Iterator[str]:
    """Yield the docstrings of the standard library that credit nobody."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for source in _sources():
        for node in ast.walk(ast.parse(source)):
            text = ast.get_docstring(node) if isinstance(node, kinds) else None
            if text and not _NAMES_PEOPLE.search(text):
                yield text[:2_000]


_LOGS = (
    "{d} {t},{ms:03} INFO  [worker-{w}] stored {n} rows of shop.orders in {ms} ms",
    "{d}T{t}.{ms:03}Z WARN slow query table=orders rows={n} took={ms}ms trace={u}",
    '{{"ts": {e}, "level": 30, "pid": {w}, "msg": "request completed", "ms": {ms}}}',
    'level=error msg="upstream gave no answer" attempt={w} of=5 next_retry={e}',
    '127.0.0.1 - - [14/Mar/2026:{t} +0000] "GET /static/app.{h}.js HTTP/1.1" 304 {n}',
    "E{d} {t}.{ms:03} {w} controller.go:{n}] syncing deployment default/web-frontend: exit 137",
    "[{t}] kafka.consumer INFO Offset commit for partition orders-{w} at offset {e}",
    "GC pause (G1 Evacuation Pause) {n}M->{ms}M({n}M) 0.00{ms}s, heap at {e}",
    "npm WARN deprecated inflight@1.0.{w}: this module leaks memory, see issue #{n}",
    "commit {h}{h} merged; build {n} passed after {ms} s on ubuntu-latest",
    "Traceback: File \"/srv/app/jobs/load.py\", line {n}, in run KeyError: 'total'",
    "redis: connection pool exhausted, {w} of {n} in use, waited {ms} ms, request {u}",
)


def logs(seed: int = 5, count: int = 900) -> Iterator[str]:
    """Yield log lines of usual programs, three a message."""
    rng = Random(seed)  # noqa: S311
    for _ in range(count // 3):
        yield "\n".join(_log_line(rng) for _ in range(3))


def _log_line(rng: Random) -> str:
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return rng.choice(_LOGS).format(
        d=f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        t=clock,
        ms=rng.randrange(1, 999),
        w=rng.randrange(1, 9),
        n=rng.randrange(10, 9_999),
        e=rng.randrange(1_600_000_000, 1_900_000_000),
        h=f"{rng.getrandbits(80):020x}",
        u=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    )


GERMAN = """
Wo bleibt meine Bestellung? Seit zwei Wochen steht der Status auf Versand vorbereitet.
Die Lampe flackert, sobald ich den Dimmer unter die Hälfte drehe. Ist das ein Garantiefall?
Guten Morgen, ich möchte die Lieferung auf den Vormittag verschieben, geht das noch?
Könnten Sie bitte prüfen, ob der Gutschein auch für reduzierte Ware gilt?
Der Rücksendeaufkleber lässt sich nicht ausdrucken, die Datei ist leer.
Laut Anleitung passt der Akku in beide Geräte, bei mir rastet er aber nicht ein.
Welche Unterlagen brauchen Sie für die Erstattung der Versandkosten?
Das Regal hat einen Kratzer an der linken Seite. Ein Preisnachlass würde mir reichen.
Im Warenkorb wird der Rabatt angezeigt, auf der Rechnung fehlt er dann.
Wie lange ist die Zahlungsfrist bei Vorkasse, und was passiert danach mit der Reservierung?
Bitte stornieren Sie die zweite Position, die erste behalte ich.
Gibt es die Winterjacke auch in Größe vierundvierzig oder nur bis zweiundvierzig?
Nach dem Update startet die App nicht mehr, es erscheint nur ein grauer Bildschirm.
Vielen Dank für die schnelle Antwort, damit ist alles geklärt.
Die Bohrmaschine wird nach kurzer Zeit sehr heiß und riecht verbrannt.
Kann ich das Abonnement pausieren, ohne den alten Tarif zu verlieren?
Bei der Abholung im Markt war niemand am Schalter, ich bin wieder gegangen.
Schreiben Sie mir bitte eine kurze Zusammenfassung der neuen Widerrufsbelehrung.
Erkläre mir den Unterschied zwischen Haftpflicht und Hausrat in drei Sätzen.
Der Zug nach Freiburg hat Verspätung, erreiche ich trotzdem den Anschluss?
""".strip().splitlines()
SPANISH = """
¿Dónde está mi pedido? Hace dos semanas que pone preparando el envío.
La lámpara parpadea cuando bajo la intensidad. ¿Lo cubre la garantía?
Buenos días, quisiera cambiar la entrega a la tarde, ¿todavía se puede?
¿Podrían comprobar si el cupón sirve también para los artículos rebajados?
La etiqueta de devolución no se imprime, el archivo está vacío.
Según el manual la batería vale para los dos aparatos, pero no encaja.
¿Qué documentos necesitan para devolverme los gastos de envío?
La estantería tiene un arañazo en el lado izquierdo. Me basta con un descuento.
En el carrito aparece el descuento, pero en la factura no está.
Cancelen por favor la segunda línea del pedido, me quedo con la primera.
¿Hay chaquetas de invierno en la talla cuarenta y cuatro?
Desde la última actualización la aplicación se queda en una pantalla gris.
Muchas gracias por la respuesta tan rápida, ya está todo claro.
El taladro se calienta mucho y huele a quemado al cabo de un rato.
¿Puedo pausar la suscripción sin perder la tarifa anterior?
Fui a recoger el paquete y no había nadie en el mostrador.
Hazme un resumen breve de las nuevas condiciones de desistimiento.
Explica en tres frases la diferencia entre un préstamo y una línea de crédito.
El tren a Sevilla va con retraso, ¿llego a tiempo para el transbordo?
La contraseña caducó y el enlace para cambiarla no funciona.
""".strip().splitlines()
FRENCH = """
Où en est ma commande ? Depuis deux semaines elle est en préparation.
La lampe clignote dès que je baisse la lumière. Est-ce couvert par la garantie ?
Bonjour, je voudrais reporter la livraison à l'après-midi, est-ce encore possible ?
Pourriez-vous vérifier si le bon de réduction vaut aussi pour les articles soldés ?
L'étiquette de retour ne s'imprime pas, le fichier est vide.
D'après la notice la batterie va dans les deux appareils, mais elle ne s'enclenche pas.
Quels documents vous faut-il pour le remboursement des frais de port ?
L'étagère a une rayure du côté gauche. Une remise me suffirait.
La remise apparaît dans le panier, mais pas sur la facture.
Veuillez annuler la deuxième ligne, je garde la première.
Le manteau existe-t-il aussi en taille quarante-quatre ?
Depuis la mise à jour, l'application reste sur un écran gris.
Merci beaucoup pour votre réponse rapide, tout est clair maintenant.
La perceuse chauffe énormément et sent le brûlé au bout de quelques minutes.
Puis-je suspendre l'abonnement sans perdre l'ancien tarif ?
Au retrait en magasin il n'y avait personne au comptoir.
Résume en quelques lignes les nouvelles conditions de rétractation.
Explique en trois phrases la différence entre un prêt et un crédit renouvelable.
Le train pour Lyon a du retard, est-ce que j'aurai la correspondance ?
Le mot de passe a expiré et le lien pour le changer ne marche pas.
""".strip().splitlines()
JAPANESE = """
注文した商品はいつ届きますか。二週間前から発送準備中のままです。
照明を暗くするとちらつきます。保証の対象になりますか。
おはようございます。配達を午後に変更したいのですが、まだ間に合いますか。
このクーポンはセール品にも使えるか確認していただけますか。
返品用のラベルが印刷できません。ファイルが空のようです。
説明書では両方の機種に使える電池のはずですが、うまくはまりません。
送料の返金にはどの書類が必要ですか。
棚の左側に傷があります。値引きしていただければ結構です。
カートでは割引が表示されるのに、請求書には反映されていません。
二つ目の商品だけ取り消してください。一つ目はそのままで大丈夫です。
冬用の上着は大きいサイズもありますか。
更新してからアプリが灰色の画面のまま動きません。
早速のお返事をありがとうございます。よく分かりました。
ドリルがすぐに熱くなって、焦げたような匂いがします。
前の料金のまま定期購入を休止できますか。
店舗で受け取ろうとしましたが、窓口に誰もいませんでした。
新しい返品条件を短くまとめてください。
融資と当座貸越の違いを三文で説明してください。
大阪行きの電車が遅れていますが、乗り換えに間に合いますか。
パスワードの期限が切れて、変更用のリンクも動きません。
""".strip().splitlines()
TERMS = """
Goods may be returned within thirty days of delivery, unused and in the original packaging.
The Buyer bears the cost of return unless the Goods are faulty or were described wrongly.
Sealed Software, Gift Cards and Perishable Goods are excluded from the Right of Withdrawal.
Title passes to the Buyer when the Price has been paid in full.
Prices include Value Added Tax; Delivery Charges are shown before the Order is placed.
Economy tickets may be changed once, free of charge, up to twenty-four hours before departure.
Passengers travelling with Infants should be at the Gate forty-five minutes before Departure.
A checked Bag may weigh 23 kg; each further Bag costs 50 USD, or 75 USD on other flights.
Travel Insurance covers Cancellation for Health or Weather, but not a Change of Plan.
Gold Members receive two free Bags in Economy and three in Business.
Claims for Damage must be made in writing within seven days of receipt.
The Provider may suspend the Service for Maintenance and shall announce it two days ahead.
Personal Data are kept no longer than the Purpose requires and are deleted on request.
Passwords must have twelve characters; the Account is locked after five attempts.
The Agent shall verify the Date of Birth and the Postal Code before any change of Address.
Never ask a Customer for the full Card Number, the Security Code or a Password.
If the Name on the Ticket differs from that in the Passport, refer the Traveller to the Desk.
Refunds are made to the original Method of Payment within five Business Days.
Neither Party is liable for Delay caused by Strike, Storm, Flood or Failure of Supply.
This Agreement is governed by the Law of the Place where the Seller has its Registered Office.
Amendments are valid only in writing; the Invalidity of one Clause leaves the others untouched.
Support hours are Monday to Friday, 9 a.m. to 5 p.m.; on Public Holidays the Desk is closed.
""".strip().splitlines()
MESSAGES = {"German": GERMAN, "Spanish": SPANISH, "French": FRENCH, "Japanese": JAPANESE}


def messages(language: str) -> Iterator[str]:
    """Yield everyday messages of a language, each by itself and in pairs."""
    lines = MESSAGES[language]
    yield from lines
    yield from (f"{first} {second}" for first, second in zip(lines, lines[7:], strict=False))


def terms() -> Iterator[str]:
    """Yield rules and terms, each by itself and three at a time."""
    yield from TERMS
    yield from ("\n".join(f"- {line}" for line in TERMS[at : at + 3]) for at in range(len(TERMS)))

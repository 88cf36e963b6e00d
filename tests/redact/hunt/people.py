"""Invented persons: first and last names of many languages and scripts, joined at random."""
# ruff: noqa: RUF001  # words of many scripts

from random import Random
from typing import NamedTuple


class Person(NamedTuple):
    """A name in two parts; ``script`` is `latin` or the name of another script."""

    first: str
    last: str
    script: str

    @property
    def full(self) -> str:
        """Return the name as people write it: East Asian names without a space, last name first."""
        if self.script in {"han", "hangul", "kana"}:
            return self.last + self.first
        return f"{self.first} {self.last}"


_NAMES = {
    "en": ("Imogen Rupert Tabitha Callum Winifred Desmond", "Thackeray Pemberly Oakhurst Fenwick"),
    "de": ("Lieselotte Jürgen Wiebke Torsten Annegret Götz", "Müllenbach Schönfelder Krüger Weiß"),
    "fr": ("Anne-Claire Théo Solène Étienne Mathilde Loïc", "Lefèvre Bonhoure D'Aubigny Chauvet"),
    "es": ("Íñigo Rocío Joaquín Begoña Ximena Álvaro", "Quintanilla Ibáñez Zubizarreta Ordóñez"),
    "pt": ("João Conceição Thiago Inês Caetano Graça", "Figueiredo Guimarães Assunção Magalhães"),
    "it": (
        "Ginevra Niccolò Fiammetta Ludovico Ornella",
        "Bevilacqua Castellani Dell'Orto Sanseverino",
    ),
    "nl": ("Maartje Sjoerd Liesbeth Joost Femke Wouter", "Hoogendijk Wijngaarden Terpstra Kuipers"),
    "pl": ("Małgorzata Zbigniew Agnieszka Wojciech Grażyna", "Wiśniewska Szczepański Dąbrowska"),
    "sv": ("Åsa Göran Ingegerd Björn Linnéa", "Lindqvist Söderström Åkerblom Hägglund"),
    "tr": ("Gülşen Çağrı Özlem Şükrü Zeynep", "Yıldırım Karaoğlu Özdemir Çetinkaya"),
    "cs": ("Květoslava Jiří Zdeňka Bohumil Ludmila", "Dvořáková Procházka Kratochvíl Růžička"),
    "vi": ("Thảo Quỳnh Hương Dũng Trọng", "Nguyễn Phạm Đặng Huỳnh"),
    "yo": ("Oluwaseun Folasade Chukwuemeka Ngozi Adebayo", "Adeyemi Okonkwo Balogun Nwosu"),
    "in": ("Priyanka Raghav Sunita Devendra Lakshmi", "Raghunathan Deshmukh Chatterjee Iyengar"),
    "ar-latin": ("Khadija Mustafa Leila Youssef Noura", "Mansouri Al-Khatib Haddad Benslimane"),
    "cyrillic": ("Ольга Дмитрий Светлана Михаил Тарас", "Кузнецова Шевченко Воробьёв Соколова"),
    "greek": ("Ελένη Νικόλαος Αικατερίνη Σταύρος", "Παπαδοπούλου Γεωργίου Αθανασίου"),
    "hebrew": ("מיכל אביגיל יונתן נועם", "רוזנבלום אברהמי פרידמן"),
    "arabic": ("فاطمة يوسف خديجة مصطفى", "المنصوري الحداد الخطيب"),
    "devanagari": ("प्रियंका रोहन सुनीता देवेंद्र", "देशमुख चटर्जी अय्यर"),
    "thai": ("สมชาย กนกวรรณ ปิยะดา", "ใจดีงาม ศรีสวัสดิ์ วงศ์ทอง"),
    "han": ("晓明 雅婷 志强 佳慧", "欧阳 陈 林 黄"),
    "kana": ("みなみ 健太郎 さくら 翔太", "高橋 佐々木 渡辺 小林"),
    "hangul": ("윤서 민준 지우 하은", "김 박 최 강"),
}
LATIN = tuple(code for code in _NAMES if len(code) == 2 or code == "ar-latin")
OTHER = tuple(code for code in _NAMES if code not in LATIN)


def person(rng: Random, *, latin: float = 1.0) -> Person:
    """Return a person, of a language in Latin letters with the probability ``latin``."""
    code = rng.choice(LATIN if rng.random() < latin else OTHER)
    firsts, lasts = (part.split() for part in _NAMES[code])
    return Person(rng.choice(firsts), rng.choice(lasts), "latin" if code in LATIN else code)


def handle(rng: Random) -> tuple[str, str]:
    """Return a first and a last name in plain lower-case letters, for addresses and user names."""
    firsts = [
        "ingrid",
        "kwame",
        "leila",
        "henrik",
        "priya",
        "marisol",
        "tomasz",
        "yuki",
        "eleni",
        "rohan",
        "zora",
        "amina",
    ]
    lasts = [
        "solheim",
        "asante",
        "mansour",
        "lindqvist",
        "raghavan",
        "quintero",
        "nowicki",
        "tanabe",
        "papada",
        "quill",
    ]
    return rng.choice(firsts), rng.choice(lasts)

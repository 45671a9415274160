"""The one rule by which text is compared, searched and tidied, in Python and in both databases.

A database has its own idea of case and accents, and SQLite another than PostgreSQL. So the folded
form is made here, stored beside the text (``db/folded_fields.py``) and compared as it stands.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

from django.core.validators import RegexValidator

# The longest folded form that is stored; a longer one ends in a digest of the whole.
LONGEST_KEY = 255
DIGEST = 40

APOSTROPHES = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\u055a\u05f3"
APOSTROPHES += "\u2018\u2019\u201a\u201b\u2032\u2035\ua78b\ua78c\uff07\uff40"
QUOTES = (
    '"\u00ab\u00bb\u02ba\u02dd\u02ee\u05f4\u201c\u201d\u201e\u201f\u2033\u2036\u301d\u301e\uff02'
)
DASHES = "-\u02d7\u058a\u05be\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2796"
DASHES += "\u2e3a\u2e3b\ufe58\ufe63\uff0d"
# U+2044 is what half (U+00BD) and the like are made of.
SIGNS: Mapping[int, str] = str.maketrans(
    dict.fromkeys(APOSTROPHES, "'")
    | dict.fromkeys(QUOTES, '"')
    | dict.fromkeys(DASHES, "-")
    | {"\u2044": "/", "\u2215": "/"}
)
# The Turkish i with and without a dot: capital and small letter are the same in either alphabet.
DOTLESS = str.maketrans({"\u0131": "i"})
DOT_ABOVE = "i\u0307"
# Letters that Unicode does not take apart into a letter and a mark.
PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t"}
)
MARKS = re.compile("[\u0300-\u036f]")
# Shown as nothing: Unicode's default-ignorable characters and further format characters.
SHOWN_AS_NOTHING = (
    "\u00ad\u034f\u061c\u070f\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# They turn the text around them, so a name could pass for another one.
TURNING = "\u202a-\u202e\u2066-\u2069"
UNSEEN = re.compile(f"[{SHOWN_AS_NOTHING}]")
INVISIBLE = re.compile(f"[{SHOWN_AS_NOTHING}{TURNING}]")
DIRECTION_CONTROLS = re.compile(f"[{TURNING}]")
# Control characters, and the separators of lines and paragraphs.
CONTROL = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029]")
# A blank pattern of Braille is shown as a space and is none.
BLANKS = re.compile("[\\s\u2800]+")
# Null, and half of a character beyond 16 bits, which JSON can say: no database stores them.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

refuse_direction_controls = RegexValidator(
    DIRECTION_CONTROLS,
    "Remove the invisible characters that change the direction of writing.",
    code="direction",
    inverse_match=True,
)


def fold(text: str) -> str:
    """What two spellings of one text share.

    Upper and lower case, compatible forms of one character, kinds of apostrophes, quotes, dashes
    and white space are the same; what cannot be seen does not count. Accents do.
    """
    if text.isascii():
        plain = text.replace("`", "'").lower()
    else:
        # Twice, for folding the case of some letters takes others apart.
        plain = _compatible(_compatible(text).casefold())
        plain = plain.replace(DOT_ABOVE, "i").translate(DOTLESS)
    return " ".join(CONTROL.sub(" ", plain.replace("\x00", "")).split())


def _compatible(text: str) -> str:
    visible = INVISIBLE.sub("", text.translate(SIGNS))
    return BLANKS.sub(" ", unicodedata.normalize("NFKC", visible).translate(SIGNS))


def key(text: str) -> str:
    """:func:`fold`, in a length that every index takes."""
    folded = fold(text)
    if len(folded) <= LONGEST_KEY:
        return folded
    digest = hashlib.sha256(folded.encode()).hexdigest()[:DIGEST]
    return folded[: LONGEST_KEY - DIGEST] + digest


def keys(texts: Iterable[str]) -> tuple[str, ...]:
    """The key of each of some texts, such as the tiers of a code."""
    return tuple(key(text) for text in texts)


def unaccented(text: str) -> str:
    """:func:`fold` for searching: without accents and apostrophes, which people leave out."""
    folded = fold(text).replace("'", "")
    if folded.isascii():
        return folded
    apart = MARKS.sub("", unicodedata.normalize("NFKD", folded))
    return unicodedata.normalize("NFKC", apart).translate(PLAIN_LETTERS)


def search_text(*texts: str) -> str:
    """What a search looks at, one text a line: no word is found across two of them."""
    return "\n".join(dict.fromkeys(unaccented(text) for text in texts if text))


def search_words(asked: str) -> list[str]:
    """The words of a search, as :func:`search_text` holds them; each must occur."""
    return unaccented(asked).split()


def one_line(text: str) -> str:
    """A name or code as it is stored: on one line, and nothing in it that cannot be seen.

    Line breaks and control characters become a blank. What is shown as nothing (soft hyphens,
    zero-width characters) goes. An accent is part of its letter. What turns the direction of
    writing stays, to be refused (:data:`DIRECTION_CONTROLS`): without it, it would be another text.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    visible = unicodedata.normalize("NFC", UNSEEN.sub("", text))
    return BLANKS.sub(" ", CONTROL.sub(" ", visible)).strip()


def plain_line(text: str) -> str:
    """A name or code on one line, as every door stores it.

    :raises ValidationError: where it turns the direction of writing.
    """
    found = one_line(text)
    refuse_direction_controls(found)
    return found


def first_unseen(text: str) -> str:
    """The first character that cannot be seen or only looks like a space; empty for none."""
    if text.isascii() and text.isprintable():
        return ""
    return next((one for one in text if one != " " and _is_unseen(one)), "")


def _is_unseen(character: str) -> bool:
    shown_as_blank = BLANKS.match(character) or INVISIBLE.match(character)
    return bool(shown_as_blank) or not character.isprintable()


def is_storable(text: str) -> bool:
    """Whether a database takes it."""
    return UNSTORABLE.search(text) is None


def login_email(typed: str) -> str:
    """The e-mail address that a login is known by; no two logins differ in case alone."""
    return one_line(typed).lower()

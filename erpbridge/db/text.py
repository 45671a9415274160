"""The rules for comparing, searching and cleaning text, in Python and in both databases.

Databases differ in how they treat case and accents. So the folded form is computed here, stored
beside the text (``db/folded_fields.py``), and compared byte by byte.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

from django.core.validators import RegexValidator

# Longest stored key; a longer one ends in a digest of the whole text.
LONGEST_KEY = 255
DIGEST = 40

APOSTROPHES = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\u055a\u05f3"
APOSTROPHES += "\u2018\u2019\u201a\u201b\u2032\u2035\ua78b\ua78c\uff07\uff40"
QUOTES = (
    '"\u00ab\u00bb\u02ba\u02dd\u02ee\u05f4\u201c\u201d\u201e\u201f\u2033\u2036\u301d\u301e\uff02'
)
DASHES = "-\u02d7\u058a\u05be\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2796"
DASHES += "\u2e3a\u2e3b\ufe58\ufe63\uff0d"
# NFKC turns U+00BD (one half) and the like into digits and U+2044.
SIGNS: Mapping[int, str] = str.maketrans(
    dict.fromkeys(APOSTROPHES, "'")
    | dict.fromkeys(QUOTES, '"')
    | dict.fromkeys(DASHES, "-")
    | {"\u2044": "/", "\u2215": "/"}
)
# The Turkish i with and without a dot: match the capital and the small letter in both alphabets.
DOTLESS = str.maketrans({"\u0131": "i"})
DOT_ABOVE = "i\u0307"
# Letters that Unicode does not decompose into a letter and a mark.
PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t"}
)
MARKS = re.compile("[\u0300-\u036f]")
# Invisible: Unicode's default-ignorable characters and further format characters.
SHOWN_AS_NOTHING = (
    "\u00ad\u034f\u061c\u070f\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Bidirectional controls: they reorder the text around them, so a name could imitate another.
TURNING = "\u202a-\u202e\u2066-\u2069"
UNSEEN = re.compile(f"[{SHOWN_AS_NOTHING}]")
INVISIBLE = re.compile(f"[{SHOWN_AS_NOTHING}{TURNING}]")
DIRECTION_CONTROLS = re.compile(f"[{TURNING}]")
# Control characters, and the separators of lines and paragraphs.
CONTROL = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029]")
# The blank Braille pattern looks like a space, but is not white space.
BLANKS = re.compile("[\\s\u2800]+")
# Null, and lone surrogates, which JSON can contain: no database stores them.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

refuse_direction_controls = RegexValidator(
    DIRECTION_CONTROLS,
    "Remove the invisible characters that change the direction of writing.",
    code="direction",
    inverse_match=True,
)


def fold(text: str) -> str:
    """Return the form in which two spellings of a text are equal.

    It ignores case, compatibility forms of a character, variants of apostrophes, quotes, dashes and
    white space, and invisible characters. Accents are kept.
    """
    # Most texts, for which the rules below change nothing else.
    if text.isascii():
        folded = text.replace("`", "'").lower()
    else:
        # Twice, because folding the case of some letters decomposes others.
        folded = _normalize(_normalize(text).casefold())
        folded = folded.replace(DOT_ABOVE, "i").translate(DOTLESS)
    return " ".join(CONTROL.sub(" ", folded.replace("\x00", "")).split())


def _normalize(text: str) -> str:
    visible = INVISIBLE.sub("", text.translate(SIGNS))
    return BLANKS.sub(" ", unicodedata.normalize("NFKC", visible).translate(SIGNS))


def key(text: str) -> str:
    """Return :func:`fold`, shortened to a length that every index supports."""
    folded = fold(text)
    if len(folded) <= LONGEST_KEY:
        return folded
    # Not only cut, because two long texts that differ at their ends are not the same.
    digest = hashlib.sha256(folded.encode()).hexdigest()[:DIGEST]
    return folded[: LONGEST_KEY - DIGEST] + digest


def keys(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the key of each text, such as the tiers of a code."""
    return tuple(key(text) for text in texts)


def unaccented(text: str) -> str:
    """Return :func:`fold` without accents and apostrophes, which people leave out in searches."""
    folded = fold(text).replace("'", "")
    if folded.isascii():
        return folded
    without_marks = MARKS.sub("", unicodedata.normalize("NFKD", folded))
    return unicodedata.normalize("NFKC", without_marks).translate(PLAIN_LETTERS)


def search_text(*texts: str) -> str:
    """Return the text that a search looks in, one line per text, so that no word spans two."""
    return "\n".join(dict.fromkeys(unaccented(text) for text in texts if text))


def search_words(query: str) -> list[str]:
    """Return the words of a search in the form of :func:`search_text`; each must occur."""
    return unaccented(query).split()


def one_line(text: str) -> str:
    """Return a name or code as it is stored: on one line, without invisible characters.

    Line breaks and control characters become a space. Invisible characters (soft hyphens,
    zero-width characters) are removed. Accents are composed with their letter. Direction controls
    stay, to be rejected by validation (:data:`DIRECTION_CONTROLS`): without them it would be
    another text.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    visible = unicodedata.normalize("NFC", UNSEEN.sub("", text))
    return BLANKS.sub(" ", CONTROL.sub(" ", visible)).strip()


def plain_line(text: str) -> str:
    """Return a name or code on one line, validated.

    :raises ValidationError: when it has direction controls.
    """
    line = one_line(text)
    refuse_direction_controls(line)
    return line


def first_invisible(text: str) -> str:
    """Return the first invisible or space-like character; empty if there is none."""
    if text.isascii() and text.isprintable():
        return ""
    return next(
        (character for character in text if character != " " and _is_invisible(character)), ""
    )


def _is_invisible(character: str) -> bool:
    shown_as_blank = BLANKS.match(character) or INVISIBLE.match(character)
    return bool(shown_as_blank) or not character.isprintable()


def is_storable(text: str) -> bool:
    """Whether a database can store the text."""
    return UNSTORABLE.search(text) is None


def login_email(typed: str) -> str:
    """Return the address that identifies a login; two logins never differ in case only."""
    return one_line(typed).lower()

"""Numbers and texts as the cells of a workbook show them."""

from __future__ import annotations

import pytest

from erpbridge.files import number_formats

PHONE = r"[<=9999999]###\-####;\(###\)\ ###\-####"


@pytest.mark.parametrize(
    ("value", "cell_format", "text"),
    [
        (33000, "00-00-00", "03-30-00"),
        (7, '"CC-"000', "CC-007"),
        (7, '0000"-"0', "0000-7"),
        (1, "00", "01"),
        (1.1, "0.00", "1.10"),
        (0.125, "0.00", "0.13"),
        (3.14159, "0.###", "3.142"),
        (0.5, "0%", "50%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234, "$#,##0", "$1,234"),
        (41, "[$€-407] 0", "€ 41"),
        (41, "[Red]0", "41"),
        (-5, "0;(0)", "(5)"),
        (-5, "00", "-05"),
        (0, "0;(0);-", "-"),
        (5, ";;;", ""),
        (12, "_(* #,##0_)", " 12 "),
        (4105550101, PHONE, "(410) 555-0101"),
        (5550101, PHONE, "555-0101"),
        (212014730, r"00000\-0000", "21201-4730"),
        (4.1e9, "0.00E+00", "4.10E+09"),
        (4100000000.0, "General", "4100000000"),
        (1 / 3, "General", "0.333333333"),
        (7, 'General" Oak St"', "7 Oak St"),
        (7, "@", "7"),
    ],
)
def test_a_number_is_shown_by_its_format(value, cell_format, text):
    assert number_formats.number(value, cell_format) == text


@pytest.mark.parametrize(
    ("value", "cell_format"),
    [
        (123456789012, "General"),
        (0.00001, "General"),
        (1e300, "0"),
        (1.5, "# ?/?"),
        (5, "00/00"),
        (1234567, "#,##0,"),
        (46000, "dd-mmm"),
        (1.5, "[h]:mm"),
        (12345, "##0.0E+0"),
        (-0.001, "0.00"),
        (-1, PHONE),
        (5, "000-@"),
    ],
)
def test_what_a_format_shows_is_not_guessed(value, cell_format):
    with pytest.raises(number_formats.Unknown):
        number_formats.number(value, cell_format)


@pytest.mark.parametrize(
    ("value", "cell_format", "text"),
    [
        ("7", "General", "7"),
        ("7", "@", "7"),
        ("7", '"CC-"@', "CC-7"),
        ("7", '0;0;0;"T "@', "T 7"),
        ("7", ";;;", ""),
    ],
)
def test_a_text_is_shown_by_its_format(value, cell_format, text):
    assert number_formats.text(value, cell_format) == text

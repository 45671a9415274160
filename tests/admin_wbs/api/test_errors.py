"""A refusal of a service names the field of the body that it is about."""

import pytest

from admin_wbs.api.errors import refusals
from admin_wbs.errors import CodeRefused
from erpbridge.rest.errors import Invalid


@pytest.mark.parametrize(
    ("column", "names", "field"),
    [
        ("description", {}, "name"),
        ("code", {}, "code"),
        ("", {}, "base"),
        ("", {"": "ids"}, "ids"),
        ("description", {"": "ids"}, "name"),
    ],
)
def test_a_column_has_the_name_of_its_field_in_the_body(column, names, field):
    with pytest.raises(Invalid) as raised, refusals(**names):
        raise CodeRefused("It is in use.", field=column)
    assert raised.value.errors == {field: ["It is in use."]}

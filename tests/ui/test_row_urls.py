"""URLs of rows are those that Django would reverse for each."""

from __future__ import annotations

from uuid import uuid4

from django.urls import reverse

from erpbridge.ui.row_urls import NO_UUID, page_url, url_of


def test_a_row_has_the_url_that_django_reverses() -> None:
    of_account = page_url("directory:account_company_edit", 7)
    assert of_account(12) == reverse("directory:account_company_edit", args=[7, 12])


def test_the_last_number_is_the_rows_also_where_another_is_the_same() -> None:
    url = page_url("directory:project_company", 0, 0)
    assert url(12) == reverse("directory:project_company", args=[0, 0, 12])


def test_rows_may_have_a_uuid() -> None:
    row_id = uuid4()
    url = url_of(lambda public_id: reverse("erp:item", args=[7, public_id]), NO_UUID)
    assert url(row_id) == reverse("erp:item", args=[7, row_id])

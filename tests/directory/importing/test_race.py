from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from directory.importing import apply
from directory.importing import uploads as importing_uploads
from directory.importing.plan import Choice
from directory.models import Company, CompanyImport
from erpbridge.access.policy import load
from erpbridge.imports.uploads import ConfirmRefused
from tests.generator import csv_text, firms

pytestmark = pytest.mark.django_db(transaction=True)


def confirm_in_a_thread(upload: CompanyImport, seen: str) -> str:
    """The outcome, as one word."""
    try:
        mine = CompanyImport.objects.select_related("account", "project").get(pk=upload.pk)
        apply.confirm(mine, choice=Choice(), seen=seen, by=mine.by)
    except ConfirmRefused as refused:
        return type(refused).__name__
    else:
        return "imported"
    finally:
        connection.close()


def confirm_at_once(uploads: list[CompanyImport]) -> list[str]:
    plans = [importing_uploads.plan_of(upload) for upload in uploads]
    seen = [plan.fingerprint if plan else "" for plan in plans]
    with ThreadPoolExecutor(len(uploads)) as threads:
        return sorted(threads.map(confirm_in_a_thread, uploads, seen))


def start(account, ada) -> CompanyImport:
    access = load(ada, account)
    assert access is not None
    return importing_uploads.start(
        csv_text(firms(20)).encode(), file_name="firms.csv", access=access
    )


def test_four_clicks_on_confirm_import_once(account, ada):
    upload = start(account, ada)
    assert confirm_at_once([upload] * 4) == ["AlreadyConfirmed"] * 3 + ["imported"]
    assert Company.objects.count() == 20


def test_of_two_uploads_of_one_file_the_second_is_told_that_the_directory_changed(account, ada):
    uploads = [start(account, ada), start(account, ada)]
    assert confirm_at_once(uploads) == ["Changed", "imported"]
    assert Company.objects.count() == 20

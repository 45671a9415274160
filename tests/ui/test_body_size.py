"""Nothing is read of a request that is larger than any page takes."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse


@pytest.fixture
def small(settings):
    settings.ERPBRIDGE_MOST_BODY_BYTES = 1024 * 1024


def test_a_visitor_cannot_upload_more_than_any_page_takes(small):
    huge = SimpleUploadedFile("huge.csv", b"x" * 1024 * 1024)
    answer = Client(enforce_csrf_checks=True).post(reverse("login"), {"file": huge})
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("length", ["", "-1", "9" * 5_000, "\u0663", "x"])
def test_no_announced_length_breaks_the_page(small, db, length):
    answer = Client().generic("POST", reverse("login"), CONTENT_LENGTH=length)
    assert answer.status_code in (200, 413)

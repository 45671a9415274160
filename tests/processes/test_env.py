"""A wrong environment variable is named, with what is expected, before anything starts."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from erpbridge import env

NAME = "ERPBRIDGE_SOMETHING"
READERS = {
    "a flag": (lambda: env.flag(NAME, default=False), ["maybe", "2", "\U0001f600"]),
    "a number": (lambda: env.integer(NAME, 5, least=2, most=9), ["x", "1", "10", "1e3", ""]),
    "a choice": (lambda: env.choice(NAME, "a", ("a", "b")), ["c", "A", ""]),
    "a time zone": (lambda: env.time_zone(NAME, "UTC"), ["Mars/Base", "../etc/passwd", ""]),
    "a Redis": (lambda: env.redis(NAME), ["garbage", "http://x", "redis://[bad"]),
    "hosts": (
        lambda: env.hosts(NAME, ""),
        ["10.0.0.5/8", "10.0.0.0/8,*", "http://erp.internal", "erp.internal:80", "[::1]", "10.0.0"],
    ),
    "a folder": (lambda: env.folder(NAME, "/nowhere"), ["/dev/null", "/dev/null/below"]),
    "a database": (
        lambda: env.database(NAME, ""),
        [
            "",
            "mysql://h/x",
            "sqlite://",
            "postgresql://h/",
            "postgresql://h:99999/x",
            "postgresql://h:no/x",
            "postgresql://[bad/x",
        ],
    ),
}
CASES = [(what, value) for what, (_, values) in READERS.items() for value in values]


@pytest.mark.parametrize(("what", "value"), CASES)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(what, value, monkeypatch):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        READERS[what][0]()


def test_a_secret_in_a_wrong_address_is_not_repeated(monkeypatch):
    monkeypatch.setenv(NAME, "postgresql://me:hush-hush@h:99999/x")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.database(NAME, "")
    assert "hush" not in str(refused.value)


def test_a_value_may_come_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.text(NAME) == "from a file"


def test_an_empty_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv(NAME, "")
    assert env.folder(NAME, tmp_path / "var") == tmp_path / "var"
    assert (tmp_path / "var").is_dir()

import os
import subprocess
import sys

import pytest
from django.core.management import call_command

from tests.programs import ROOT

SAFE = {
    "ERPBRIDGE_MODE": "production",
    "ERPBRIDGE_SECRET_KEY": "0123456789abcdefghij" * 3,
    "ERPBRIDGE_ALLOWED_HOSTS": "erp.example.com",
    "ERPBRIDGE_FIELD_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


def start(tmp_path, **changes):
    env = {**os.environ, **SAFE, "ERPBRIDGE_DATA_DIR": str(tmp_path), **changes}
    env["DJANGO_SETTINGS_MODULE"] = "erpbridge.settings"
    command = [sys.executable, "-c", "import django; django.setup()"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_safe_values_start(tmp_path):
    assert start(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ERPBRIDGE_SECRET_KEY", "only-for-development-and-never-in-production"),
        ("ERPBRIDGE_SECRET_KEY", "short"),
        ("ERPBRIDGE_FIELD_KEYS", ""),
        ("ERPBRIDGE_METRICS_TOKEN", "guessable"),
        ("ERPBRIDGE_DEBUG", "yes"),
        ("ERPBRIDGE_ALLOWED_HOSTS", "*"),
        ("ERPBRIDGE_ALLOWED_HOSTS", ".example.com"),
        ("ERPBRIDGE_ALLOWED_HOSTS", ""),
    ],
)
def test_an_unsafe_value_refuses_to_start_and_names_the_variable(tmp_path, variable, value):
    done = start(tmp_path, **{variable: value})
    assert done.returncode != 0
    assert f"Refusing to start in production: {variable} must" in done.stderr


@pytest.mark.parametrize("key", ["not-a-key", "MDEyMw==", "\u00e9" * 43 + "="])
def test_a_key_that_is_none_is_refused_by_its_place_and_not_repeated(tmp_path, key):
    both = f"{SAFE['ERPBRIDGE_FIELD_KEYS']},{key}"
    done = start(tmp_path, ERPBRIDGE_FIELD_KEYS=both, PYTHONIOENCODING="utf-8")
    assert done.returncode != 0
    assert "ERPBRIDGE_FIELD_KEYS: key 2 of 2 is not 32 bytes" in done.stderr
    assert key not in done.stderr.splitlines()[-1]


def test_every_static_file_can_be_collected_under_a_hashed_name(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    call_command("collectstatic", verbosity=0, interactive=False)
    assert (tmp_path / "staticfiles.json").is_file()

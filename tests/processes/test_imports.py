import json
import subprocess
import sys

import pytest

from tests.programs import ROOT, environment

# What a process loads before its first request or task, by the lines that load it.
SERVES = "import erpbridge.wsgi"
EXPORTS = "from erpbridge.celery import app; app.loader.init_worker()"
WATCHES = "import erpbridge.processes.server"
# Needed by an upload, a download, the description of the API or the metrics.
SELDOM = {"PIL", "drf_spectacular.generators", "openpyxl", "prometheus_client", "stdnum"}
# Needed by pages and the REST API alone.
OF_PAGES = {
    *("erpbridge.urls", "directory.urls", "admin_wbs.urls", "erp_integrations.web"),
    *("erp_integrations.api", "pycountry", "rest_framework.views", "requests"),
}
# As ``gunicorn --config=... erpbridge.wsgi`` does until it starts its first process.
BEFORE_GUNICORN_FORKS = """
import sys
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
sys.argv = ["", "--config=python:erpbridge.processes.gunicorn_conf", "erpbridge.wsgi"]
arbiter = Arbiter(WSGIApplication())
arbiter.cfg.when_ready(arbiter)
assert "erpbridge.urls" in sys.modules
"""
BEFORE_CELERY_FORKS = f"""
from celery.signals import worker_before_create_process
{EXPORTS}
worker_before_create_process.send(sender=None)
"""
REDIS = "redis://127.0.0.1:1/0"


def modules_after(lines, tmp_path, **variables):
    """What a program of these lines has imported; it reaches no server."""
    program = f"{lines}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env=environment(**{"ERPBRIDGE_DATA_DIR": str(tmp_path), "REDIS_URL": "", **variables}),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("lines", "broker", "needs", "never"),
    [
        pytest.param(SERVES, "", "erpbridge.urls", SELDOM | {"redis"}, id="embedded"),
        pytest.param(SERVES, REDIS, "erpbridge.urls", SELDOM, id="web"),
        pytest.param(
            EXPORTS, REDIS, "erp_integrations.export.tasks", SELDOM | OF_PAGES, id="worker"
        ),
        pytest.param(
            WATCHES, "", "gunicorn.arbiter", {"django", "celery"}, id="parent-of-embedded"
        ),
    ],
)
def test_a_process_loads_what_it_needs(lines, broker, needs, never, tmp_path):
    modules = modules_after(lines, tmp_path, REDIS_URL=broker)
    assert needs in modules
    assert modules & never == set()


@pytest.mark.parametrize("lines", [SERVES, EXPORTS], ids=["web", "worker"])
def test_adapters_that_are_not_allowed_are_not_loaded(lines, tmp_path):
    look = "from erp_integrations.connections.adapter_loading import adapter_classes"
    modules = modules_after(
        f"{lines}\n{look}\nassert list(adapter_classes()) == ['simulator']",
        tmp_path,
        ERPBRIDGE_ADAPTERS="simulator",
    )
    assert "erp_integrations.adapters.simulator" in modules
    assert "erp_integrations.adapters.tryton" not in modules


@pytest.mark.parametrize(
    "lines", [BEFORE_GUNICORN_FORKS, BEFORE_CELERY_FORKS], ids=["web", "worker"]
)
def test_what_is_loaded_is_left_to_share_before_a_process_forks(lines, tmp_path):
    # Frozen objects are left alone by collections, which would copy their pages of memory.
    modules_after(f"{lines}\nimport gc\nassert gc.get_freeze_count() > 50_000", tmp_path)

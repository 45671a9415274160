import pytest
from django.db import connection
from django.test import Client

from erp_integrations.clock import now
from erp_integrations.models import Ticker


def test_alive_asks_nobody_else(client: Client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = client.get("/livez")
    assert response.json() == {"status": "alive"}


def test_ready_when_everything_answers(client: Client, db):
    Ticker.objects.create(pk=1, ran_reading=now())
    response = client.get("/readyz")
    assert response.status_code == 200
    answers = response.json()
    assert answers.pop("tick_age_seconds") < 5
    assert answers.pop("free_megabytes") > 0
    assert answers == {
        "status": "ready",
        "database": "ok",
        "migrations": "ok",
        "broker": "ok",
        "disk": "ok",
        "space": "ok",
        "tick": "ok",
    }


def test_not_ready_while_migrations_wait(client: Client, db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["migrations"] == "1 not applied"


def test_not_ready_without_the_broker(client: Client, db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["broker"] == "does not answer"


@pytest.mark.django_db(transaction=True)
def test_events_do_not_stop_the_tables_from_being_emptied(ada, account):
    from django.db import transaction

    from erpbridge.audit.services import Note, note

    with transaction.atomic():
        note(account.pk, [Note("vendor", 1, "Acme", "created")], by=ada)

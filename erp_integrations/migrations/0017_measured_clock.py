"""What is decided by time is decided by the measured clock, and what is a try of what by number."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from erpbridge.db.folded_backfill import check_now


def fill_rows(apps: Any, schema_editor: Any) -> None:
    """The measured clock begins at the time of the database, by which all of these were written."""
    attempts = apps.get_model("erp_integrations", "Attempt").objects
    attempts.update(opened_reading=F("opened_at"), answered_reading=F("answered_at"))
    earlier = attempts.filter(item=OuterRef("pk"), opened_at__lt=OuterRef("decided_at"))
    last = earlier.order_by().values("item").annotate(last=Max("fence")).values("last")
    items = apps.get_model("erp_integrations", "Item")._base_manager
    items.filter(~Q(decided_at=None)).update(decided_fence=Coalesce(Subquery(last), 0))
    apps.get_model("erp_integrations", "Ticker").objects.update(ran_reading=F("ran_at"))
    check_now(schema_editor)


class Migration(migrations.Migration):
    """Moments that people see stay as they are; beside them stands what the measured clock read."""

    dependencies = [("erp_integrations", "0016_key_in_air"), ("clock", "0001_initial")]

    operations = [
        migrations.AddField("attempt", "opened_reading", models.DateTimeField(null=True)),
        migrations.AddField("attempt", "answered_reading", models.DateTimeField(null=True)),
        migrations.AddField("item", "decided_fence", models.PositiveIntegerField(default=0)),
        migrations.AddField("ticker", "ran_reading", models.DateTimeField(null=True)),
        migrations.AddField("connection", "fetches", models.PositiveIntegerField(default=0)),
        migrations.AddField("erprecord", "seen_in_fetch", models.PositiveIntegerField(default=0)),
        migrations.RunPython(fill_rows, migrations.RunPython.noop),
        migrations.AlterField("attempt", "opened_reading", models.DateTimeField()),
        migrations.AlterField("ticker", "ran_reading", models.DateTimeField()),
    ]

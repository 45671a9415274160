"""How old a remembered answer is, the measured clock says."""

from typing import Any

from django.db import migrations, models
from django.db.models import F

from erpbridge.db.folded_backfill import check_now


def fill_rows(apps: Any, schema_editor: Any) -> None:
    """The measured clock lags behind the wall clock: what is kept is kept a little longer."""
    apps.get_model("rest", "Remembered").objects.update(started_reading=F("started_at"))
    check_now(schema_editor)


class Migration(migrations.Migration):
    """``started_at`` was of the web host's clock, and decided what it may not."""

    dependencies = [("rest", "0001_initial"), ("clock", "0001_initial")]

    operations = [
        migrations.AddField("remembered", "started_reading", models.DateTimeField(null=True)),
        migrations.RunPython(fill_rows, migrations.RunPython.noop),
        migrations.RemoveIndex("remembered", "idempotency_age"),
        migrations.RemoveField("remembered", "started_at"),
        migrations.AlterField("remembered", "started_reading", models.DateTimeField()),
        migrations.AddIndex(
            "remembered", models.Index(fields=["started_reading"], name="idempotency_age")
        ),
    ]

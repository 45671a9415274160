"""Refresh tokens expire; a token tells when its grant was given and when it was last used."""

from datetime import timedelta

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F


def fill(apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What is known of the tokens that are there."""
    tokens = apps.get_model("oauth", "Token").objects
    tokens.update(granted_at=F("created_at"), used_at=F("created_at"))
    tokens.filter(expires_at=None).update(expires_at=F("created_at") + timedelta(days=90))


class Migration(migrations.Migration):
    """Ninety days from their last renewal for those that were given out before."""

    dependencies = [("oauth", "0002_folded_text")]

    operations = [
        migrations.AddField("token", "granted_at", models.DateTimeField(null=True)),
        migrations.AddField("token", "used_at", models.DateTimeField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("token", "granted_at", models.DateTimeField()),
        migrations.AlterField("token", "used_at", models.DateTimeField()),
        migrations.AlterField("token", "expires_at", models.DateTimeField()),
    ]

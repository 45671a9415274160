import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


def name_connections(apps, schema_editor):
    """Every connection gets an address of its own."""
    for one in apps.get_model("erp_integrations", "Connection").objects.all():
        one.public_id = uuid.uuid4()
        one.save(update_fields=["public_id"])


class Migration(migrations.Migration):

    dependencies = [
        ("erp_integrations", "0003_connection_secrets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="public_id",
            field=models.UUIDField(default=uuid.uuid4, editable=False, null=True),
        ),
        migrations.RunPython(name_connections, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="connection",
            name="public_id",
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
        ),
        migrations.CreateModel(
            name="ExportFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("entity", models.CharField(max_length=30)),
                ("name", models.CharField(max_length=150)),
                ("content_type", models.CharField(max_length=100)),
                ("content", models.BinaryField()),
                ("count", models.PositiveIntegerField()),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("verdict", models.CharField(blank=True, choices=[("result", "By the ERP's result file"), ("all", "All imported"), ("none", "Nothing was imported")], max_length=10)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("confirmed_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("connection", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="export_files", to="erp_integrations.connection")),
                ("made_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "indexes": [models.Index(fields=["connection", "-id"], name="export_file_latest")],
            },
        ),
    ]

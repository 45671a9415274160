"""Links that a program named count as not compared yet."""

from django.db import migrations, models


def look_at_them(apps, schema_editor):
    """Those in use that came about without an item, and without a version that the ERP told."""
    links = apps.get_model("erp_integrations", "Link").objects
    links.filter(ended_at=None, item=None, erp_version="").update(told=True)


class Migration(migrations.Migration):
    dependencies = [("erp_integrations", "0017_measured_clock")]

    operations = [
        migrations.AddField("link", "told", models.BooleanField(default=False)),
        migrations.RunPython(look_at_them, migrations.RunPython.noop),
    ]

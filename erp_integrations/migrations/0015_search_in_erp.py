"""What a search of the records that an ERP holds looks at."""

import erpbridge.db.folded_fields
from django.db import migrations

from erpbridge.db.folded_backfill import fill


def fill_rows(apps, schema_editor):
    fill(apps.get_model("erp_integrations", "ErpRecord"))


class Migration(migrations.Migration):
    """Filled for what has been read already."""

    dependencies = [("erp_integrations", "0014_choice_group")]

    operations = [
        migrations.AddField(
            model_name="erprecord",
            name="search_text",
            field=erpbridge.db.folded_fields.SearchField(
                "erp_code", "label", "erp_id", default="", editable=False
            ),
        ),
        migrations.RunPython(fill_rows, migrations.RunPython.noop),
    ]

"""Records of the ERP are compared with what waits by name, tax ID and phone."""

from django.db import migrations, models
from django.db.models import Q

from erp_integrations.models.match_keys import keys_of

COLUMNS = ("name_key", "tax_key", "phone_key")
AT_ONCE = 1_000


def fill(apps, schema_editor):
    """By what the last refresh said."""
    ErpRecord = apps.get_model("erp_integrations", "ErpRecord")
    last = 0
    while rows := list(ErpRecord.objects.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        for row in rows:
            for column, key in keys_of(row.data).items():
                setattr(row, column, key)
        ErpRecord.objects.bulk_update(rows, COLUMNS, batch_size=100)
        last = rows[-1].pk


class Migration(migrations.Migration):
    dependencies = [("erp_integrations", "0010_links_listed")]

    operations = [
        *(
            migrations.AddField(
                model_name="erprecord",
                name=column,
                field=models.CharField(blank=True, max_length=200),
            )
            for column in COLUMNS
        ),
        *(
            migrations.AddIndex(
                model_name="erprecord",
                index=models.Index(
                    condition=~Q(**{column: ""}),
                    fields=["connection", "entity", column],
                    name=f"erp_record_{column}",
                ),
            )
            for column in COLUMNS
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]

"""What a sender says to whoever decides."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("erp_integrations", "0011_erp_record_keys")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="note",
            field=models.TextField(blank=True),
        ),
    ]

"""Of what kind a value of an ERP's list is, where the ERP tells."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Empty until the ERP is refreshed the next time."""

    dependencies = [("erp_integrations", "0013_folded_text")]

    operations = [
        migrations.AddField(
            model_name="choice",
            name="group",
            field=models.CharField(blank=True, default="", max_length=50),
        )
    ]

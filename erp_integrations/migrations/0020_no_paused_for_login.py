"""``halted_for`` says it; in a migration of its own, for rows that were just changed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("erp_integrations", "0019_halted_for")]

    operations = [migrations.RemoveField("connection", "paused_for_login")]

"""The time zone of a person and of an account; empty: the next that is chosen."""

import erpbridge.access.zones
from django.db import migrations, models


def zone() -> models.CharField:
    return models.CharField(
        blank=True,
        default="",
        help_text="Pages show times in it, with its short name.",
        max_length=64,
        validators=[erpbridge.access.zones.check],
        verbose_name="Time zone",
    )


class Migration(migrations.Migration):
    """Nobody has chosen one yet."""

    dependencies = [("access", "0006_folded_text")]

    operations = [
        migrations.AddField(model_name="account", name="time_zone", field=zone()),
        migrations.AddField(model_name="user", name="time_zone", field=zone()),
    ]

"""Records in flight are limited by the adapter's concurrency, unless a person sets a limit."""

import django.core.validators
from django.db import migrations, models

# The default of the column until now: nobody chose it.
OLD_DEFAULT = 20


def forget_old_default(apps, schema_editor):
    connections = apps.get_model("erp_integrations", "Connection").objects
    connections.filter(max_in_flight=OLD_DEFAULT).update(max_in_flight=None)


def restore_old_default(apps, schema_editor):
    connections = apps.get_model("erp_integrations", "Connection").objects
    connections.filter(max_in_flight=None).update(max_in_flight=OLD_DEFAULT)


class Migration(migrations.Migration):

    dependencies = [
        ('erp_integrations', '0021_state_labels'),
    ]

    operations = [
        migrations.AlterField(
            model_name='connection',
            name='max_in_flight',
            field=models.PositiveSmallIntegerField(blank=True, help_text="Empty: as many as the adapter's batches and concurrency allow.", null=True, validators=[django.core.validators.MinValueValidator(1, 'Most at once must be a whole number from 1 to 1,000.'), django.core.validators.MaxValueValidator(1000, 'Most at once must be a whole number from 1 to 1,000.')], verbose_name='Most at once'),
        ),
        migrations.RunPython(forget_old_default, restore_old_default),
    ]

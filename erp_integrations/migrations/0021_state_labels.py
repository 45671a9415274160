"""Labels of states as people read them, in sentence case."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('erp_integrations', '0020_no_paused_for_login'),
    ]

    operations = [
        migrations.AlterField(
            model_name='item',
            name='state',
            field=models.CharField(choices=[('ready', 'Ready to export'), ('queued', 'Exporting'), ('sending', 'Exporting'), ('submitted', 'Exporting'), ('uncertain', 'Exporting'), ('needs_answer', 'Needs an answer'), ('failed', 'Failed to export'), ('synced', 'Synced'), ('unlinked', 'Unlinked'), ('retrieved', 'Retrieved'), ('rejected', 'Rejected')], default='ready', max_length=12),
        ),
    ]

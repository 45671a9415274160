from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('erp_integrations', '0022_most_in_flight_is_optional'),
    ]

    operations = [
        migrations.AddField(
            model_name='item',
            name='call',
            field=models.UUIDField(editable=False, null=True),
        ),
    ]

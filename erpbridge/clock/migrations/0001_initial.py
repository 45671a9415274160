"""The row itself is made once all migrations are through; see ``apps``."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """The measured clock."""

    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Clock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reading", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=Q(("id", 1)), name="one_clock")]
            },
        ),
    ]

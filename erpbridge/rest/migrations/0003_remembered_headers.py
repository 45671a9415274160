"""What is answered again has the headers of the first answer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Defaults of the database, for processes that do not know the columns yet."""

    dependencies = [("rest", "0002_measured_clock")]

    operations = [
        migrations.AddField(
            "remembered",
            "media_type",
            models.CharField(max_length=127, db_default="application/json"),
        ),
        migrations.AddField("remembered", "etag", models.CharField(max_length=127, db_default="")),
    ]

"""Why the engine paused a connection: a refused login is one reason of several."""

from django.db import migrations, models


def halted_for_the_login(apps, schema_editor):
    """Those that were paused for it."""
    connections = apps.get_model("erp_integrations", "Connection").objects
    connections.filter(paused_for_login=True).update(halted_for="login")


class Migration(migrations.Migration):
    dependencies = [("erp_integrations", "0018_link_told")]

    operations = [
        migrations.AddField(
            "connection",
            "halted_for",
            models.CharField(
                blank=True,
                choices=[
                    ("login", "The ERP refuses the login"),
                    ("setup", "The ERP cannot be called as it is set up"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.RunPython(halted_for_the_login, migrations.RunPython.noop),
    ]

"""The triggers refuse TRUNCATE of audit events too."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from erpbridge.audit import triggers


def install_anew(_apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    triggers.remove(schema_editor)
    triggers.install(schema_editor)


class Migration(migrations.Migration):
    """Those of an installation that is older did not."""

    dependencies = [("audit", "0002_append_only")]
    operations = [migrations.RunPython(install_anew, migrations.RunPython.noop)]

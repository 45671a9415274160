"""One key in the air: as the ERP compares keys, not only as they are sent."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

from erpbridge.db.folded_backfill import check_now

IN_AIR = ["needs_answer", "queued", "sending", "submitted", "uncertain"]


def fill_rows(apps: Any, schema_editor: Any) -> None:
    """What is in the air is held to the letter until it settles, as before.

    Only the adapters know how their ERPs compare keys, and accepting asks them in any case.
    """
    items = apps.get_model("erp_integrations", "Item")._base_manager
    items.filter(state__in=IN_AIR).update(erp_key_compared=F("erp_key"))
    check_now(schema_editor)


class Migration(migrations.Migration):
    """Nothing can clash: the keys were unique to the letter."""

    dependencies = [("erp_integrations", "0015_search_in_erp")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="erp_key_compared",
            field=models.CharField(blank=True, default="", max_length=255),
            preserve_default=False,
        ),
        migrations.RunPython(fill_rows, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="item", name="one_key_in_air"),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.UniqueConstraint(
                condition=Q(("state__in", IN_AIR), Q(("erp_key_compared", ""), _negated=True)),
                fields=("connection", "entity", "erp_key_compared"),
                name="one_key_in_air",
            ),
        ),
    ]

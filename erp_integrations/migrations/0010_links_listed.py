"""What is listed as synced is what is linked; an item whose link has ended is unlinked."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce

STATES = [
    ("ready", "Ready to Export"),
    ("queued", "Exporting"),
    ("sending", "Exporting"),
    ("submitted", "Exporting"),
    ("uncertain", "Exporting"),
    ("needs_answer", "Needs an Answer"),
    ("failed", "Failed to Export"),
    ("synced", "Synced"),
    ("unlinked", "Unlinked"),
    ("retrieved", "Retrieved"),
    ("rejected", "Rejected"),
]


def name_links(apps, schema_editor):
    """Give links the name and the item that they came by; without one, what the history says."""
    Link = apps.get_model("erp_integrations", "Link")
    Item = apps.get_model("erp_integrations", "Item")
    Connection = apps.get_model("erp_integrations", "Connection")
    Event = apps.get_model("audit", "Event")
    names = ("connection", "entity", "record_id", "erp_id")
    same = {name: OuterRef(name) for name in names}
    by = Item.objects.filter(state="synced", **same).order_by("-pk")
    told = Event.objects.filter(
        account__in=Connection.objects.filter(pk=OuterRef(OuterRef("connection"))).values("account"),
        entity=OuterRef("entity"),
        subject_id=OuterRef("record_id"),
    ).order_by("-pk")
    Link.objects.update(item=Subquery(by.values("pk")[:1]))
    labels = (Subquery(by.values("label")[:1]), Subquery(told.values("label")[:1]))
    Link.objects.update(label=Coalesce(*labels, "erp_code"))
    active = Link.objects.filter(ended_at=None, **same)
    Item.objects.filter(~Exists(active), state="synced").update(state="unlinked")


def call_them_synced(apps, schema_editor):
    Item = apps.get_model("erp_integrations", "Item")
    Item.objects.filter(state="unlinked").update(state="synced")


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
        ("erp_integrations", "0009_record_version"),
    ]

    operations = [
        migrations.AddField(
            model_name="link",
            name="item",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="erp_integrations.item",
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="label",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AlterField(
            model_name="item",
            name="state",
            field=models.CharField(choices=STATES, default="ready", max_length=12),
        ),
        migrations.AddIndex(
            model_name="link",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True)),
                fields=["connection", "entity", "-id"],
                name="link_listed",
            ),
        ),
        migrations.RunPython(name_links, call_them_synced),
    ]

"""Default values for acceptance fields."""

from __future__ import annotations

from django.db import models

from erp_integrations.models.connections import Connection


class AcceptanceDefault(models.Model):
    """A rule: records whose code starts with ``starts_with`` get this acceptance value."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="defaults")
    entity = models.CharField(max_length=30)
    field = models.CharField("Field", max_length=100)
    starts_with = models.CharField("Code begins with", max_length=50, blank=True)
    value = models.CharField("Value", max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "entity", "field", "starts_with"],
                name="acceptance_default_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_with}*: {self.value}"

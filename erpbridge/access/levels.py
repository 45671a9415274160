"""Permission levels and the tools they are given for (docs/design/permissions.md, "Levels")."""

from __future__ import annotations

from django.db import models


class Level(models.IntegerChoices):
    """Permission level of a person in one tool; each level includes the ones before it."""

    # Numbers, because rules ask for "at least".
    NONE = 0, "None"
    READ_ONLY = 1, "Read Only"
    STANDARD = 2, "Standard"
    ADMIN = 3, "Admin"


class Tool(models.TextChoices):
    """The tools that have a permission level. The value is the name of the level's column."""

    DIRECTORY = "directory", "Directory"
    ADMIN = "admin", "Admin"
    ERP_INTEGRATIONS = "erp_integrations", "ERP Integrations"


class ToolLevels(models.Model):
    """One level per tool, plus the granular right that can be added to a Directory level."""

    directory = models.PositiveSmallIntegerField(
        "Directory", choices=Level.choices, default=Level.NONE
    )
    admin = models.PositiveSmallIntegerField("Admin", choices=Level.choices, default=Level.NONE)
    erp_integrations = models.PositiveSmallIntegerField(
        "ERP Integrations", choices=Level.choices, default=Level.NONE
    )
    # The one granular right of ours: docs/design/permissions.md, "Levels".
    create_edit_companies = models.BooleanField(
        "Create and Edit Companies",
        default=False,
        help_text="For Read Only and Standard on Directory; Admin includes it.",
    )

    class Meta:
        abstract = True

    def level(self, tool: Tool) -> Level:
        """Return the level for ``tool``; Directory Admin is Admin in every tool of its scope."""
        if self.directory == Level.ADMIN:
            return Level.ADMIN
        return Level(getattr(self, tool.value))

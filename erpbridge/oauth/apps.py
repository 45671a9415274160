"""App configuration."""

from django.apps import AppConfig


class OAuthConfig(AppConfig):
    """Applications and their tokens."""

    name = "erpbridge.oauth"
    label = "oauth"

    def ready(self) -> None:
        """End the tokens of applications that act for a person whose access ends."""
        from erpbridge.access.services.end_access import access_ended
        from erpbridge.oauth import programs

        access_ended.connect(programs.end_with_access)

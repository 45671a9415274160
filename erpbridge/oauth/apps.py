"""App configuration."""

from django.apps import AppConfig


class OAuthConfig(AppConfig):
    """Applications and their tokens."""

    name = "erpbridge.oauth"
    label = "oauth"

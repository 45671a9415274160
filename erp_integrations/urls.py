"""URLs of ERP Integrations."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "erp"
urlpatterns: list[URLPattern] = []

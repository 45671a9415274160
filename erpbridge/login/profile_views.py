"""Page of a person's own settings, which hold in all accounts."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from erpbridge.access import zones
from erpbridge.access.models import User


class OwnForm(forms.Form):
    """The person's own time zone."""

    time_zone = forms.ChoiceField(
        label="Time zone",
        required=False,
        help_text="Pages show times in it, with its short name.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        otherwise = f"That of the account, or else {settings.TIME_ZONE}"
        self.fields["time_zone"].choices = zones.choices(otherwise)  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def own_settings(request: HttpRequest) -> HttpResponse:
    """Show and save the settings."""
    person = request.user
    assert isinstance(person, User)  # login is required
    initial = {"time_zone": person.time_zone}
    form = OwnForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        person.time_zone = form.cleaned_data["time_zone"]
        person.save(update_fields=["time_zone"])
        messages.success(request, "Saved your settings.")
        return redirect("own_settings")
    return render(
        request, "access/own_settings.html", {"form": form, "person": person, "now": timezone.now()}
    )

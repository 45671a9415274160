"""Log in and out, change one's password, and set the first one from an invitation.

Too many failures lock the login name for a while (django-axes); the page is
``access/locked_out.html``.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeDoneView,
    PasswordChangeView,
    PasswordResetConfirmView,
)
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.urls import path, reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.http import require_safe

from erpbridge.access.models import User
from erpbridge.db.text import login_email
from erpbridge.login.profile_views import own_settings
from erpbridge.ui.resent_form import Typed, keeps_nothing_typed, opened, send_again

NOT_SENT = {"data": None, "files": None}
NOT_YET_SAVED = "You are signed in. What you typed before was not taken yet."


class LoginForm(AuthenticationForm):
    """E-mail address (ignoring case) and password.

    One message for every failure: an unknown address, a wrong password and an inactive login look
    the same.
    """

    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "The e-mail address or the password is wrong.",
    }

    def clean_username(self) -> str:
        """Return the address in lower case, as stored; lock-outs are counted under this form."""
        return login_email(str(self.cleaned_data["username"]))


class Login(LoginView):
    """The login page."""

    template_name = "access/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    @method_decorator(login_not_required)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Return the typed fields at once to somebody who has signed in meanwhile."""
        typed = self._typed()
        if request.user.is_authenticated and typed is not None:
            return send_again(request, typed, why=NOT_YET_SAVED)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Redirect to the requested page, or return the form typed before the session ended."""
        response = super().form_valid(form)
        typed = self._typed()
        return response if typed is None else send_again(self.request, typed, why=NOT_YET_SAVED)

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        """Add the typed fields, and whether a session has ended."""
        context: dict[str, object] = super().get_context_data(**kwargs)
        return context | {"ended": "ended" in self.request.GET, "typed": self._typed()}

    def get_form_kwargs(self) -> dict[str, object]:
        """Leave the form unbound if the POST has only the fields of another form."""
        kwargs: dict[str, object] = super().get_form_kwargs()
        # Otherwise the login page would open with errors that the person did not cause.
        return kwargs if "username" in self.request.POST else kwargs | NOT_SENT

    def _typed(self) -> Typed | None:
        return opened(self.request.POST.get("typed", ""))


class OwnPasswordForm(PasswordChangeForm):
    """Checks the old password like a login, so that guesses in a stolen session are counted."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """Return the current password.

        :raises ValidationError: when it is wrong.
        """
        typed = str(self.cleaned_data["old_password"])
        # Not ``check_password``, which neither counts failures nor knows of locks.
        if authenticate(self.request, username=self.user.email, password=typed) is None:
            message = self.error_messages["password_incorrect"]
            raise ValidationError(message, code="password_incorrect")
        return typed

    def save(self, commit: bool = True) -> User:
        """Save, with the person as the author in the history."""
        self.user.password_set_by = self.user
        return super().save(commit)


class PasswordChange(PasswordChangeView):
    """Change one's own password. Other sessions, and programs that act for the person, end."""

    template_name = "access/password_change.html"
    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, object]:
        """Add the request, by which failures are counted."""
        return super().get_form_kwargs() | {"request": self.request}


class PasswordChangeDone(PasswordChangeDoneView):
    """The page after a changed password."""

    template_name = "access/password_change_done.html"


class Invitation(PasswordResetConfirmView):
    """The first password of a new login, set with the link that an admin has passed on."""

    template_name = "access/invitation.html"
    success_url = reverse_lazy("login")

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        """Set the password and redirect to the login page."""
        # Who sets it is the person, although nobody is signed in yet.
        form.user.password_set_by = form.user
        messages.success(self.request, "Your password is set. Log in with it.")
        return super().form_valid(form)

    def render_to_response(self, context: dict[str, object], **kwargs: object) -> HttpResponse:
        """Return 410 for a link that is used, expired or invalid."""
        status = 200 if context["validlink"] else 410
        return super().render_to_response(context, **{"status": status} | kwargs)


@require_safe
def session_token(request: HttpRequest) -> HttpResponse:
    """Return a new CSRF token for forms of pages that were open during another login."""
    response = HttpResponse(get_token(request), "text/plain; charset=utf-8")
    # A cache must not hand the token of one person to another.
    response["Cache-Control"] = "no-store"
    return response


def invitation_path(user: User) -> str:
    """Return the path where ``user`` sets a first password; the link works once."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("invitation", args=[uid, default_token_generator.make_token(user)])


urlpatterns = [
    path("login/", keeps_nothing_typed(Login.as_view()), name="login"),
    path("logout/", keeps_nothing_typed(LogoutView.as_view()), name="logout"),
    path("password/", keeps_nothing_typed(PasswordChange.as_view()), name="password_change"),
    path("password/changed/", PasswordChangeDone.as_view(), name="password_change_done"),
    path(
        "invitation/<uidb64>/<token>/",
        keeps_nothing_typed(Invitation.as_view()),
        name="invitation",
    ),
    path("me/", own_settings, name="own_settings"),
    path("session/token/", session_token, name="session_token"),
]

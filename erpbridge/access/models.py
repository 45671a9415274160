"""Accounts, projects, people, and the levels and flags a person holds in each."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.db.models.functions import Now

from erpbridge.access import zones
from erpbridge.access.levels import ToolLevels
from erpbridge.access.querysets import AccountQuerySet, MembershipQuerySet, ProjectQuerySet
from erpbridge.access.services.approver_status import Approving, approving
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField
from erpbridge.db.text import login_email


def zone_field() -> models.CharField[str, str]:
    """Return the time zone field of a person or an account; empty means "use the default"."""
    return models.CharField(
        "Time zone",
        max_length=64,
        blank=True,
        default="",
        validators=[zones.check],
        help_text="Pages show times in it, with its short name.",
    )


NEW_PASSWORD = "the password was changed"  # noqa: S105 - words for the history
SWITCHED_OFF = "the login was switched off"


class UserQuerySet(FoldingQuerySet["User"]):
    """Logins; bulk updates also write the search columns."""

    def update(self, **values: object) -> int:
        """Update as in Django. A new password or a deactivation also ends API tokens."""
        reason = NEW_PASSWORD if "password" in values else ""
        # An expression may switch a login off as well.
        if values.get("is_active", True) is not True:
            reason = SWITCHED_OFF
        if not reason:
            return super().update(**values)
        with transaction.atomic(using=self.db):
            # Read before the update, after which the filter may not match them any more.
            ids = list(self.order_by("pk").values_list("pk", flat=True))
            count = super().update(**values)
            for user_id in ids:
                _end_everywhere(user_id, reason, by=None)
        return count


def _end_everywhere(user_id: int, reason: str, *, by: User | None) -> None:
    # Imported here, because it needs the models of this module.
    from erpbridge.access.services.end_access import end_everywhere

    end_everywhere(user_id, why=reason, by=by)


class UserManager(BaseUserManager["User"]):
    """Creates logins. E-mail addresses are stored in lower case, so that lookups ignore case."""

    def get_queryset(self) -> UserQuerySet:
        """Return the queryset class of the model."""
        return UserQuerySet(self.model, using=self._db)

    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        """Create a login. It has no access until it gets a membership."""
        user = self.model(email=login_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Look up a login by e-mail address, ignoring case."""
        return self.get(email=login_email(username or ""))


class User(Folding, AbstractBaseUser, PermissionsMixin):
    """A login: one person, who may belong to several accounts."""

    email = models.EmailField("E-mail address", unique=True)
    name = models.CharField("Name", max_length=150)
    email_text = SearchField("email")
    name_text = SearchField("name")
    is_active = models.BooleanField("Active", default=True)
    # Service account of an API client: no password, one account, not listed on pages.
    is_service = models.BooleanField(default=False, editable=False)
    time_zone = zone_field()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = UserManager()
    # The person who sets the password; None means the operator, from a shell or a command.
    password_set_by: User | None = None
    _made_unusable = False

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    def __str__(self) -> str:
        return self.name or self.email

    def set_unusable_password(self) -> None:
        """Block logging in until a password is set."""
        super().set_unusable_password()
        self._made_unusable = True

    def save(self, *args: Any, **options: Any) -> None:
        """Save as in Django. A new password or a deactivation also ends API tokens."""
        # Done here so that it holds for every caller: a page, a command or a shell.
        reason = self._why_access_ends()
        with transaction.atomic():
            super().save(*args, **options)
            if reason:
                self._made_unusable = False
                _end_everywhere(self.pk, reason, by=self.password_set_by)

    def _why_access_ends(self) -> str | None:
        """Return why the person's API tokens have to end; None if they need not."""
        if self._state.adding:
            return None
        # A re-hash of the same password is no change: Django resets _password before it saves one.
        if getattr(self, "_password", None) is not None or self._made_unusable:
            return NEW_PASSWORD
        return None if self.is_active else SWITCHED_OFF


class Account(Folding):
    """The customer, which Procore calls "company account". The REST API calls its id company_id."""

    name = models.CharField("Name", max_length=200)
    search_text = SearchField("name")
    senders_may_accept_own = models.BooleanField(
        "A sender may accept their own item",
        default=False,
        help_text="Off by default: a second person in accounting looks at everything.",
    )
    time_zone = zone_field()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Project(Folding):
    """A job of an account, with its own Directory."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="projects")
    number = models.CharField("Number", max_length=30, blank=True)
    name = models.CharField("Name", max_length=200)
    number_key = KeyField("number")
    number_text = SearchField("number")
    name_text = SearchField("name")
    is_active = models.BooleanField("Active", default=True)
    use_with_erp = models.BooleanField(
        "Use with ERP",
        default=False,
        help_text="Records of this project can be sent to the ERP.",
    )
    # Only the API sets these.
    address = models.CharField("Address", max_length=255, blank=True)
    city = models.CharField("City", max_length=100, blank=True)
    state_code = models.CharField("State", max_length=10, blank=True)
    zip = models.CharField("ZIP code", max_length=20, blank=True)
    country_code = models.CharField("Country", max_length=2, blank=True)
    phone = models.CharField("Phone", max_length=50, blank=True)
    description = models.TextField("Description", max_length=10_000, blank=True)
    start_date = models.DateField("Start", null=True, blank=True)
    completion_date = models.DateField("Completion", null=True, blank=True)
    origin_id = models.CharField("ERP ID", max_length=200, blank=True, editable=False)
    origin_code = models.CharField("ERP code", max_length=200, blank=True, editable=False)
    origin_data = models.TextField(max_length=10_000, blank=True, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "number_key"],
                condition=~models.Q(number=""),
                name="project_number_once_per_account",
                violation_error_message="Another project has this number.",
            ),
            models.UniqueConstraint(
                fields=["account", "origin_id"],
                condition=~models.Q(origin_id=""),
                name="project_origin_once_per_account",
            ),
        ]

    def __str__(self) -> str:
        return self.title(self.number, self.name)

    @staticmethod
    def title(number: str, name: str) -> str:
        """Return the number, if there is one, and the name."""
        return f"{number} {name}".strip()


class Membership(Folding, ToolLevels):
    """A person in an account: levels in the account's tools, and the approver's privilege."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="memberships")
    job_title = models.CharField("Job title", max_length=100, blank=True)
    search_text = SearchField("job_title")
    is_active = models.BooleanField("Active", default=True)
    can_push_to_accounting = models.BooleanField(
        "Can push to accounting",
        default=False,
        help_text="Makes an accounting approver, together with Standard or Admin on "
        "ERP Integrations.",
    )
    erp_digest = models.BooleanField("Subscribe to ERP digest e-mails", default=True)
    confirmed_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Empty until the person has joined with the link; it opens nothing before.",
    )
    # Replaced by each new link, so that older links end.
    join_nonce = models.CharField(max_length=32, blank=True, default="", editable=False)
    # Set by API clients only: the id and data of this person in another system.
    origin_id = models.CharField("Origin ID", max_length=200, blank=True, editable=False)
    origin_data = models.TextField("Origin data", max_length=10_000, blank=True, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "account"], name="one_membership_per_account"),
            models.UniqueConstraint(
                fields=["account", "origin_id"],
                condition=~models.Q(origin_id=""),
                name="person_origin_once_per_account",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def is_confirmed(self) -> bool:
        """Whether the person has accepted the invitation to this account."""
        return self.confirmed_at is not None

    @cached_property
    def approving(self) -> Approving:
        """Whether the person can approve anything for accounting, and if not, what is missing."""
        return approving(self)


class ErpRight(models.Model):
    """Whether an approver below Admin may import or export one record type."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="erp_rights")
    entity = models.CharField(max_length=30)
    can_import = models.BooleanField("Can import", default=False)
    can_export = models.BooleanField("Can export", default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "entity"], name="one_erp_right_per_type")
        ]


class ProjectMembership(ToolLevels):
    """A person's levels in the tools of one project."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="projects")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["membership", "project"], name="one_membership_per_project"
            )
        ]

"""Querysets limited to what a person can see. Every page and API list starts from these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from erpbridge.access.levels import Level, Tool
from erpbridge.db.folded_fields import FoldingQuerySet, has_words

if TYPE_CHECKING:
    from erpbridge.access.models import Account, Membership, Project, User  # noqa: F401 - in strings


class AccountQuerySet(FoldingQuerySet["Account"]):
    """Accounts."""

    def visible_to(self, user: User) -> AccountQuerySet:
        """Return the accounts where the person has an active, confirmed membership."""
        # All in one filter(): in several ones each could be true of another membership.
        return self.filter(
            memberships__user=user,
            memberships__is_active=True,
            memberships__confirmed_at__isnull=False,
        )


class ProjectQuerySet(FoldingQuerySet["Project"]):
    """Projects."""

    def visible_to(self, membership: Membership) -> ProjectQuerySet:
        """Return the projects of the member's account where the person has a level in some tool.

        A Directory Admin of the account sees all of them.
        """
        projects = self.filter(account=membership.account_id)
        if membership.directory == Level.ADMIN:
            return projects
        some_tool = Q()
        for tool in Tool:
            some_tool |= Q(**{f"{tool.value}__gt": Level.NONE})
        # A row with every level at None gives no access.
        own_levels = membership.projects.filter(some_tool, project=OuterRef("pk"))
        return projects.filter(Exists(own_levels))


class MembershipQuerySet(FoldingQuerySet["Membership"]):
    """Memberships of people, and of the service accounts of API clients."""

    def people(self) -> MembershipQuerySet:
        """Return the memberships of people, without service accounts."""
        return self.filter(user__is_service=False)

    def active(self) -> MembershipQuerySet:
        """Return those who may enter the account: active, and the invitation is accepted."""
        return self.filter(is_active=True, user__is_active=True, confirmed_at__isnull=False)


def people_matching(text: str) -> Q:
    """Match people by words that occur in name, e-mail address or job title; all must occur."""
    return has_words(text, "user__name_text", "user__email_text", "search_text")


def projects_matching(text: str) -> Q:
    """Match projects by words that occur in number or name; all must occur."""
    return has_words(text, "number_text", "name_text")

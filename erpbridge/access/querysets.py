"""What a person can see at all; everything a page or an API fetches starts here."""

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
        """Accounts the person is an active member of, and has joined."""
        return self.filter(
            memberships__user=user,
            memberships__is_active=True,
            memberships__confirmed_at__isnull=False,
        )


class ProjectQuerySet(FoldingQuerySet["Project"]):
    """Projects."""

    def visible_to(self, membership: Membership) -> ProjectQuerySet:
        """Projects of the member's account where some tool is open to the person.

        A Company Directory Admin sees all of them.
        """
        projects = self.filter(account=membership.account_id)
        if membership.directory == Level.ADMIN:
            return projects
        some_tool = Q()
        for tool in Tool:
            some_tool |= Q(**{f"{tool.value}__gt": Level.NONE})
        mine = membership.projects.filter(some_tool, project=OuterRef("pk"))
        return projects.filter(Exists(mine))


class MembershipQuerySet(FoldingQuerySet["Membership"]):
    """People of accounts, and the service accounts of programs."""

    def people(self) -> MembershipQuerySet:
        """Those who can log in; not the service accounts."""
        return self.filter(user__is_service=False)

    def active(self) -> MembershipQuerySet:
        """Those who may enter the account: not inactive, and no longer only invited."""
        return self.filter(is_active=True, user__is_active=True, confirmed_at__isnull=False)


def people_matching(text: str) -> Q:
    """People whose name, e-mail address and job title hold every word of ``text``."""
    return has_words(text, "user__name_text", "user__email_text", "search_text")


def projects_matching(text: str) -> Q:
    """Projects whose number and name hold every word of ``text``."""
    return has_words(text, "number_text", "name_text")

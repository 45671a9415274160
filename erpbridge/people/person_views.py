"""Pages of people: the list, adding a person, rights of a person, invitation links."""

from __future__ import annotations

from functools import cached_property

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from erpbridge.access.form_digest import Stale, digest, person_state
from erpbridge.access.models import Membership, Project
from erpbridge.access.permissions import Permission
from erpbridge.access.querysets import people_matching, projects_matching
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.access.services import people as people_services
from erpbridge.db.numbers import numbers
from erpbridge.login.views import invitation_path
from erpbridge.people.account_views import GET_OR_POST, MOST_HISTORY, posted
from erpbridge.people.forms import AddPersonForm, ApproverForm, PersonForm, ProjectLevelsForm
from erpbridge.people.join_views import join_path
from erpbridge.ui.listing import SIZES, list_page
from erpbridge.ui.navigation import Tab

INVITATION = "invitation"
TABS = {
    "access:person": "Account",
    "access:person_projects": "Projects",
    "oauth:person_programs": "Programs",
}
SHOWN = {"": "Active", "approvers": "Approvers", "inactive": "Inactive"}


@require_safe
@scoped(Permission.PEOPLE_VIEW)
def person_list(request: ScopedRequest) -> HttpResponse:
    """List the people of the account with their rights."""
    selected_tab = request.GET.get("show", "")
    page = list_page(
        _people_of_tab(
            Membership.objects.people().filter(account=request.access.account), selected_tab
        ),
        request.GET,
        sorts={"name": "user__name", "email": "user__email", "job_title": "job_title"},
        search=lambda queryset, query: queryset.filter(people_matching(query)),
    )
    tabs = [
        Tab(label, f"?show={tab}" if tab else request.path, current=tab == selected_tab)
        for tab, label in SHOWN.items()
    ]
    context = {
        "page": page,
        "tabs": tabs,
        "may_manage": request.access.can(Permission.PEOPLE_MANAGE),
    }
    return render(request, "access/people.html", context)


def _people_of_tab(people: QuerySet[Membership], tab: str) -> QuerySet[Membership]:
    """Return the people of one tab."""
    # Each row says whether the person can approve, which takes both.
    people = people.select_related("user").prefetch_related("erp_rights", "projects")
    if tab == "inactive":
        return people.filter(is_active=False)
    people = people.filter(is_active=True)
    return people.filter(can_push_to_accounting=True) if tab == "approvers" else people


@require_http_methods(GET_OR_POST)
@scoped(Permission.PEOPLE_MANAGE)
def person_add(request: ScopedRequest) -> HttpResponse:
    """Add a person; the next page shows the link to pass on."""
    form = AddPersonForm(posted(request))
    if request.method == "POST" and form.is_valid():
        who = {name: form.cleaned_data[name] for name in ("email", "name")}
        try:
            added = people_services.add(**who, person=form.person(), by=request.access)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            _remember_invitation(request, added.membership)
            return _to_person(added.membership)
    return render(request, "access/person_add.html", {"form": form})


@never_cache  # It may show an invitation link once.
@require_http_methods(GET_OR_POST)
@scoped(Permission.PEOPLE_MANAGE)
def person(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """Edit a person's levels and approver's privilege, and show the history."""
    page = PersonPage(request, membership_id)
    # Browsers never send disabled fields, so a request that has them is a deliberate attempt.
    if any(name.startswith("approver-") for name in request.POST):
        require(request.access, Permission.PEOPLE_GRANT_APPROVER)
    if request.method == "POST" and page.save():
        messages.success(request, f"Saved {page.membership}.")
        return _to_person(page.membership)
    context = page.context() | {
        "invitation": _take_invitation(request, page.membership),
        "history": people_services.history(page.membership, most=MOST_HISTORY),
    }
    return render(
        request, "access/person.html", context | frame_of(page.membership, "access:person")
    )


class PersonPage:
    """The two forms of a person, and the handling of concurrent edits."""

    def __init__(self, request: ScopedRequest, membership_id: int) -> None:
        self.access = request.access
        self.membership = person_of_account(request, membership_id)
        self.grant = self.access.can(Permission.PEOPLE_GRANT_APPROVER)
        self.form = PersonForm(posted(request), membership=self.membership)
        self.approver = ApproverForm(
            posted(request), membership=self.membership, enabled=bool(self.grant)
        )
        now = digest(person_state(self.membership))
        self.seen = request.POST.get("seen", "") if request.method == "POST" else now
        self.stale: Stale | None = None

    def save(self) -> bool:
        """Save both forms. On False the page is shown again with the errors."""
        if not (self.form.is_valid() and self.approver.is_valid()):
            return False
        try:
            people_services.update(
                self.membership.pk,
                person=self.form.person(),
                approver=self.approver.approver() if self.grant else None,
                seen=self.seen,
                by=self.access,
            )
        except ValidationError as error:
            self.form.add_error(None, error)
            return False
        except Stale as stale:
            # Keep what was typed. The page now shows the other change, so the next save overwrites
            # it knowingly.
            self.stale, self.seen = stale, stale.now
            return False
        return True

    def context(self) -> dict[str, object]:
        """Return the template context."""
        names = ("form", "approver", "grant", "seen", "stale")
        return {name: getattr(self, name) for name in names}


@require_POST
@scoped(Permission.PEOPLE_MANAGE)
def person_invitation(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """Create a new link for somebody without a password, or who has not joined.

    Older links become invalid.
    """
    membership = person_of_account(request, membership_id)
    try:
        membership = people_services.invite(membership_id, by=request.access)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        _remember_invitation(request, membership)
    return _to_person(membership)


@require_http_methods(GET_OR_POST)
@scoped(Permission.PEOPLE_MANAGE)
def person_projects(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """Edit a person's levels in the account's projects; saves one page of projects at a time."""
    membership = person_of_account(request, membership_id)
    page = list_page(
        Project.objects.filter(account=request.access.account),
        request.GET,
        sorts={"name": "name", "number": "number"},
        search=lambda queryset, query: queryset.filter(projects_matching(query)),
    )
    # The rows that were posted, because the list may have changed since the page was opened.
    page_projects = _posted_projects(request) if request.method == "POST" else page.rows
    levels = LevelsPage(request, membership, page_projects)
    if request.method == "POST" and levels.save():
        text = f"Saved; {levels.changed} project{'' if levels.changed == 1 else 's'} changed."
        messages.success(request, text)
        return redirect(request.get_full_path())
    context = {"page": page, "levels": levels}
    return render(
        request,
        "access/person_projects.html",
        context | frame_of(membership, "access:person_projects"),
    )


class LevelsPage:
    """The rows of the project levels table, and the digest of the displayed state."""

    def __init__(
        self, request: ScopedRequest, membership: Membership, projects: list[Project]
    ) -> None:
        self.access = request.access
        self.membership = membership
        self.state = people_services.project_state(membership, projects)
        self.rows = [
            ProjectLevelsForm(posted(request), project=project, levels=self.state[project.pk])
            for project in projects
        ]
        now = digest(self.state)
        self.seen = request.POST.get("seen", "") if request.method == "POST" else now
        self.stale: Stale | None = None
        self.changed = 0

    def save(self) -> bool:
        """Save all rows together. On False the page is shown again with the errors."""
        if self.errors:
            return False
        try:
            self.changed = people_services.set_project_levels(
                self.membership.pk,
                levels={row.project.pk: row.levels() for row in self.rows},
                seen=self.seen,
                by=self.access,
            )
        except Stale as stale:
            self.stale, self.seen = stale, stale.now
            return False
        return True

    @cached_property
    def errors(self) -> list[str]:
        """The error messages of all rows, each with its project and tool."""
        return [
            f"{row.project}, {row[name].label}: {' '.join(map(str, field_errors))}"
            for row in self.rows
            for name, field_errors in row.errors.items()
        ]


def _posted_projects(request: ScopedRequest) -> list[Project]:
    """Return the projects of the submitted page, in its order."""
    # No page has more rows.
    values = request.POST.getlist("project")[: max(SIZES)]
    ids = numbers(values)
    projects = Project.objects.filter(account=request.access.account).in_bulk(ids)
    return [projects[pk] for pk in ids if pk in projects]


def person_of_account(request: ScopedRequest, membership_id: int) -> Membership:
    """Return a person of the account.

    :raises Http404: for anybody else.
    """
    people = Membership.objects.people().filter(account=request.access.account)
    people = people.select_related("user")
    return get_object_or_404(people, pk=membership_id)


def _to_person(membership: Membership) -> HttpResponse:
    return redirect("access:person", account_id=membership.account_id, membership_id=membership.pk)


def frame_of(membership: Membership, current: str) -> dict[str, object]:
    """Return the context that all pages of a person share; ``current`` is the page's URL name."""
    url_kwargs = {"account_id": membership.account_id, "membership_id": membership.pk}
    tabs = [
        Tab(label, reverse(name, kwargs=url_kwargs), current=name == current)
        for name, label in TABS.items()
    ]
    may_invite = people_services.may_invite(membership)
    return {"membership": membership, "tabs": tabs, "may_invite": may_invite}


def _remember_invitation(request: ScopedRequest, membership: Membership) -> None:
    """Keep the link in the session for the next page, which shows it once."""
    must_join = people_services.must_join(membership)
    address = join_path(membership) if must_join else invitation_path(membership.user)
    link = request.build_absolute_uri(address)
    request.session[INVITATION] = {"membership": membership.pk, "link": link}


def _take_invitation(request: ScopedRequest, membership: Membership) -> str:
    # Taken also by the page of another person, so that the link is never shown later.
    invitation = request.session.pop(INVITATION, None)
    return (
        str(invitation["link"]) if invitation and invitation["membership"] == membership.pk else ""
    )

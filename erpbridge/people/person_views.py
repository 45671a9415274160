"""Pages of people: the list, adding somebody, what somebody may do, invitation links."""

from __future__ import annotations

from functools import cached_property
from typing import Any

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
@scoped("people.view")
def person_list(request: ScopedRequest) -> HttpResponse:
    """The people of the account, what they may do, and who is an approver."""
    shown = request.GET.get("show", "")
    page = list_page(
        _shown(Membership.objects.people().filter(account=request.access.account), shown),
        request.GET,
        sorts={"name": "user__name", "email": "user__email", "job_title": "job_title"},
        search=lambda found, words: found.filter(people_matching(words)),
    )
    tabs = [
        Tab(label, f"?show={word}" if word else request.path, current=word == shown)
        for word, label in SHOWN.items()
    ]
    context = {"page": page, "tabs": tabs, "may_manage": request.access.can("people.manage")}
    return render(request, "access/people.html", context)


def _shown(found: QuerySet[Membership], word: str) -> QuerySet[Membership]:
    """The people of one tab."""
    found = found.select_related("user").prefetch_related("erp_rights", "projects")
    if word == "inactive":
        return found.filter(is_active=False)
    found = found.filter(is_active=True)
    return found.filter(can_push_to_accounting=True) if word == "approvers" else found


@require_http_methods(GET_OR_POST)
@scoped("people.manage")
def person_add(request: ScopedRequest) -> HttpResponse:
    """Add a person; the next page shows the link to pass on, whether the login is new or not."""
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


@never_cache  # It may show an invitation link, once.
@require_http_methods(GET_OR_POST)
@scoped("people.manage")
def person(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """A person's levels, approver's privilege and history."""
    page = PersonPage(request, membership_id)
    # Disabled fields are never sent by a browser, so whoever sends them wants them to count.
    if any(name.startswith("approver-") for name in request.POST):
        require(request.access, "people.grant_approver")
    if request.method == "POST" and page.save():
        messages.success(request, f"Saved {page.membership}.")
        return _to_person(page.membership)
    context = page.context() | {
        "invitation": _shown_once(request, page.membership),
        "history": people_services.history(page.membership, most=MOST_HISTORY),
    }
    return render(
        request, "access/person.html", context | frame_of(page.membership, "access:person")
    )


class PersonPage:
    """The two forms of a person, and what to do when somebody else saved in between."""

    def __init__(self, request: ScopedRequest, membership_id: int) -> None:
        self.access = request.access
        self.membership = person_of_account(request, membership_id)
        self.grant = self.access.can("people.grant_approver")
        self.form = PersonForm(posted(request), membership=self.membership)
        self.approver = ApproverForm(
            posted(request), membership=self.membership, enabled=bool(self.grant)
        )
        now = digest(person_state(self.membership))
        self.seen = request.POST.get("seen", "") if request.method == "POST" else now
        self.stale: Stale | None = None

    def save(self) -> bool:
        """Save both forms; on False the page is shown again with the reasons."""
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
            # What was typed stays; the next save knows what the banner has told.
            self.stale, self.seen = stale, stale.now
            return False
        return True

    def context(self) -> dict[str, Any]:
        """For the template."""
        names = ("form", "approver", "grant", "seen", "stale")
        return {name: getattr(self, name) for name in names}


@require_POST
@scoped("people.manage")
def person_invitation(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """A new link for somebody who has no password yet, or has not joined; older links die."""
    membership = person_of_account(request, membership_id)
    try:
        membership = people_services.invite(membership_id, by=request.access)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        _remember_invitation(request, membership)
    return _to_person(membership)


@require_http_methods(GET_OR_POST)
@scoped("people.manage")
def person_projects(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """A person's levels in the projects of the account, a page of projects saved in one go."""
    membership = person_of_account(request, membership_id)
    page = list_page(
        Project.objects.filter(account=request.access.account),
        request.GET,
        sorts={"name": "name", "number": "number"},
        search=lambda found, words: found.filter(projects_matching(words)),
    )
    shown = _posted_projects(request) if request.method == "POST" else page.rows
    levels = LevelsPage(request, membership, shown)
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
    """The rows of the table of project levels, and the fingerprint of what they showed."""

    def __init__(
        self, request: ScopedRequest, membership: Membership, projects: list[Project]
    ) -> None:
        self.access = request.access
        self.membership = membership
        self.state = people_services.project_state(membership, projects)
        self.rows = [
            ProjectLevelsForm(posted(request), project=project, held=self.state[project.pk])
            for project in projects
        ]
        now = digest(self.state)
        self.seen = request.POST.get("seen", "") if request.method == "POST" else now
        self.stale: Stale | None = None
        self.changed = 0

    def save(self) -> bool:
        """Store all rows in one go; on False the page is shown again with the reasons."""
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
        """Every refused value, with its project and tool."""
        return [
            f"{row.project}, {row[name].label}: {' '.join(map(str, refusals))}"
            for row in self.rows
            for name, refusals in row.errors.items()
        ]


def _posted_projects(request: ScopedRequest) -> list[Project]:
    """The projects that stood on the page that was sent, in its order."""
    words = request.POST.getlist("project")[: max(SIZES)]
    ids = numbers(words)
    found = Project.objects.filter(account=request.access.account).in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def person_of_account(request: ScopedRequest, membership_id: int) -> Membership:
    """A person of the account. :raises Http404: for anybody else."""
    people = Membership.objects.people().filter(account=request.access.account)
    people = people.select_related("user")
    return get_object_or_404(people, pk=membership_id)


def _to_person(membership: Membership) -> HttpResponse:
    return redirect("access:person", account_id=membership.account_id, membership_id=membership.pk)


def frame_of(membership: Membership, current: str) -> dict[str, Any]:
    """What all pages of a person show around their own part; ``current`` is the page's URL name."""
    place = {"account_id": membership.account_id, "membership_id": membership.pk}
    tabs = [
        Tab(label, reverse(name, kwargs=place), current=name == current)
        for name, label in TABS.items()
    ]
    may_invite = people_services.may_invite(membership)
    return {"membership": membership, "tabs": tabs, "may_invite": may_invite}


def _remember_invitation(request: ScopedRequest, membership: Membership) -> None:
    """Keep the link for the very next page, which shows it once."""
    joins = people_services.may_ask(membership)
    address = join_path(membership) if joins else invitation_path(membership.user)
    link = request.build_absolute_uri(address)
    request.session[INVITATION] = {"membership": membership.pk, "link": link}


def _shown_once(request: ScopedRequest, membership: Membership) -> str:
    kept = request.session.pop(INVITATION, None)
    return str(kept["link"]) if kept and kept["membership"] == membership.pk else ""

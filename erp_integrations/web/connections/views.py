"""Pages of ERP connections: list, create, configure, test, refresh, pause, ERP records."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from erp_integrations.adapters.base import (
    Delivery,
    EntityManifest,
    Manifest,
    Operation,
    Setting,
    SettingKind,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading, refresh_job, wait_reasons
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.models import Connection
from erp_integrations.models.record_types import record_types
from erp_integrations.web.connections import erp_record_table as holds
from erp_integrations.web.connections.forms import ConnectionForm, PauseForm
from erp_integrations.web.connections.health_views import badge
from erp_integrations.web.connections.rule_words import words_of
from erp_integrations.web.item_list_views import kind_of
from erp_integrations.workflow.links import connection_identity
from erp_integrations.workflow.send import dry_run
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.jobs import views as job_pages
from erpbridge.ui.resent_form import keeps_nothing_typed

# Most files shown on the page, newest first.
MOST_FILES = 20
NOT_SYNCED = {"label": "Not synced yet", "color": "gray", "icon": "minus-circle"}


def fetch(access: Access, pk: int) -> Connection:
    """Return a connection of the account.

    :raises Http404: if the account has none with this id.
    """
    return get_object_or_404(Connection, pk=pk, account=access.account)


def _manifest(connection: Connection) -> Manifest | None:
    try:
        return adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        return None


def manifest_or_404(connection: Connection) -> Manifest:
    """Return the manifest of the connection's adapter.

    :raises Http404: if the adapter cannot be used.
    """
    manifest = _manifest(connection)
    if manifest is None:
        raise Http404
    return manifest


@require_safe
@scoped(Permission.CONNECTION_VIEW)
def connections(request: ScopedRequest) -> HttpResponse:
    """List the account's connections."""
    mine = Connection.objects.filter(account=request.access.account).order_by("pk")
    rows = mine.prefetch_related("active_for")
    context = {
        "connections": [_described(row, request.access) for row in rows],
        "may_configure": request.access.can(Permission.CONNECTION_CONFIGURE),
        "pause": PauseForm(),
    }
    return render(request, "erp/connection.html", context)


def _described(connection: Connection, access: Access) -> dict[str, object]:
    manifest = _manifest(connection)
    # The account is loaded already; reading connection.account would query it for each connection.
    connection.account = access.account
    wait = wait_reasons.of_connection(connection)
    served = {row.entity for row in connection.active_for.all()}
    kinds = [kind for kind in record_types() if manifest and kind.entity in manifest.entities]
    return {
        "connection": connection,
        "refresh": job_pages.running(access, refresh_job.subject(connection)),
        "manifest": manifest,
        "files": _files(connection, manifest, access),
        "inbound": _inbound(connection, manifest),
        "wait": wait,
        # Until the first refresh nothing can be sent:
        # docs/design/sending-to-erp.md, "Project's ERP data".
        "badge": badge(wait) if wait or connection.refreshed_at else NOT_SYNCED,
        "entities": [_capabilities(entity) for entity in manifest.entities.values()]
        if manifest
        else [],
        "kinds": [
            {
                "kind": kind,
                "active": kind.entity in served,
                "against": dry_run.standing_against(connection, kind.entity),
            }
            for kind in kinds
            if access.can(Permission.ITEMS_VIEW)
        ],
        "limits": _limits(connection, manifest),
        "secrets": [
            (setting.label, "Set" if setting.name in connection.secrets else "")
            for setting in (manifest.settings if manifest else ())
            if setting.kind == SettingKind.SECRET
        ],
        "settings": [
            (label, value)
            for label, value in settings_shown(manifest.settings if manifest else (), connection)
            # A fact of the last test is shown in place of the setting with the same label.
            if label not in connection.test_result.get("facts", {})
        ],
        "alike": connection_identity.alike(connection),
    }


def settings_shown(settings: Sequence[Setting], connection: Connection) -> list[tuple[str, object]]:
    """Return label and value of the settings that are not secrets."""
    return [
        # Choices are shown by their label.
        (setting.label, dict(setting.options).get(value, value))
        for setting in settings
        if setting.kind != SettingKind.SECRET
        for value in [connection.config.get(setting.name, setting.default)]
    ]


def _limits(connection: Connection, manifest: Manifest | None) -> list[tuple[str, str, str]]:
    """Return the limits of the speed and where they come from; empty for file delivery."""
    if manifest is None or manifest.delivery == Delivery.FILE:
        return []
    declared, calls = manifest.rate.per_minute, manifest.concurrency
    rate, most = connection.rate_per_minute, connection.max_in_flight
    return [
        _limit("Commands a minute", _count(rate), _count(declared)),
        _limit(
            "Most at once",
            _count(most, " record"),
            f"{_count(calls, ' call')} at a time",
        ),
    ]


def _limit(term: str, typed: str, declared: str) -> tuple[str, str, str]:
    """A limit with the note where it comes from: the settings, or else the adapter."""
    if typed:
        note = f" The adapter declares {declared}." if declared else ""
        return term, typed, f"Set in the settings.{note}"
    return (term, declared, "As the adapter declares.") if declared else (term, "No limit", "")


def _count(number: int | None, noun: str = "") -> str:
    """A number with its noun in the right form; empty without a number."""
    if not number:
        return ""
    return f"{number:,}{noun}{'s' if noun and number != 1 else ''}"


def _inbound(connection: Connection, manifest: Manifest | None) -> str:
    """Return the URL that a polling ERP calls; empty for other deliveries."""
    if manifest is None or manifest.delivery != Delivery.POLLED:
        return ""
    return reverse("erp:inbound", args=[connection.public_id])


def _files(
    connection: Connection, manifest: Manifest | None, access: Access
) -> dict[str, object] | None:
    """Return the export files, and what waits for one; None for other deliveries."""
    if manifest is None or manifest.delivery != Delivery.FILE:
        return None
    kinds = [kind for kind in record_types() if access.can(Permission.ITEMS_ACCEPT, kind.entity)]
    # The content of a file may be large and is needed only for its download.
    made = connection.export_files.defer("content").select_related("made_by", "confirmed_by")
    kinds = [kind for kind in kinds if kind.entity in manifest.entities]
    files = list(
        made.filter(entity__in=[kind.entity for kind in kinds]).order_by("-pk")[:MOST_FILES]
    )
    unnamed = file_delivery.count_unnamed(connection, files)
    return {
        "waiting": [
            (kind, file_delivery.waiting(connection, kind.entity).count()) for kind in kinds
        ],
        "made": [(file, unnamed[file.handle]) for file in files],
        "without_ids": file_delivery.without_ids(connection, files),
    }


def _capabilities(entity: EntityManifest) -> dict[str, object]:
    can = [operation.value for operation in Operation if operation in entity.operations]
    return {
        "manifest": entity,
        "can": ", ".join(can + ["import"] * entity.imports),
        "fields": [
            {
                "label": field.label,
                "erp_name": field.erp_name,
                "rules": [words_of(rule) for rule in field.rules],
            }
            for field in entity.fields
        ],
    }


def show_errors(form: Form, error: ValidationError) -> None:
    """Add the errors of a service to their fields, or to the form if it has no such field."""
    for name, problems in error.message_dict.items():
        form.add_error(name if name in form.fields else None, problems)


@require_http_methods(["GET", "HEAD", "POST"])
# The form has secrets: none of its fields is returned after a rejected POST or is part of an error
# report.
@keeps_nothing_typed
@sensitive_post_parameters()
@scoped(Permission.CONNECTION_CONFIGURE)
def create(request: ScopedRequest) -> HttpResponseBase:
    """Create a connection: choose the adapter, then name it and fill in the settings."""
    classes = adapter_loading.adapter_classes()
    key = request.POST.get("adapter") or request.GET.get("adapter") or ""
    # Without a usable adapter in the request, the first step: choose one.
    if key not in classes:
        offered = [adapter.manifest({}) for adapter in classes.values()]
        return render(request, "erp/connection_choose.html", {"offered": offered})
    manifest = classes[key].manifest({})
    defaults = {
        setting.name: setting.default
        for setting in manifest.settings
        if setting.kind != SettingKind.SECRET
    }
    initial = {"name": manifest.label, **defaults}
    form = ConnectionForm(manifest, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            # In one transaction, so that a conflict repeats all of it.
            with transaction.atomic():
                new_connection = connection_settings.create(
                    account=request.access.account,
                    name=form.cleaned_data["name"],
                    adapter=key,
                    config=form.config,
                    secrets=form.secrets,
                    limits=form.limits,
                    by=request.user,
                )
                # It takes over only the record types that no other connection serves.
                connection_services.activate(new_connection, by=request.user)
                job = refresh_job.test_and_refresh(new_connection, access=request.access)
        except ValidationError as error:
            show_errors(form, error)
        else:
            return redirect(job_pages.href(job, request.access))
    context = {"form": form, "manifest": manifest, "adapter": key}
    return render(request, "erp/connection_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@keeps_nothing_typed
@sensitive_post_parameters()
@scoped(Permission.CONNECTION_CONFIGURE)
def configure(request: ScopedRequest, pk: int) -> HttpResponseBase:
    """Change the name, settings, secrets and limits of a connection."""
    connection = fetch(request.access, pk)
    manifest = manifest_or_404(connection)
    limits = {name: getattr(connection, name) for name in connection_settings.LIMITS}
    initial = {"name": connection.name, **connection.config, **limits}
    data = request.POST or None
    # ``leads``: identity settings are changed on the page of identity_views only.
    form = ConnectionForm(
        manifest, data, initial=initial, secrets_set=connection.secrets, leads=True
    )
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                connection_settings.configure(
                    connection,
                    name=form.cleaned_data["name"],
                    config=form.config,
                    secrets=form.secrets,
                    limits=form.limits,
                    remove=form.removed,
                    by=request.user,
                )
                job = refresh_job.test_and_refresh(connection, access=request.access)
        except ValidationError as error:
            show_errors(form, error)
        else:
            return redirect(job_pages.href(job, request.access))
    context = {
        "form": form,
        "manifest": manifest,
        "adapter": connection.adapter,
        "connection": connection,
        "leads": settings_shown(manifest.identity, connection),
    }
    return render(request, "erp/connection_form.html", context)


@require_POST
@scoped(Permission.CONNECTION_CONFIGURE)
def act(request: ScopedRequest, pk: int) -> HttpResponseBase:
    """Carry out a button: test, refresh, pause, resume, or use for a record type."""
    connection = fetch(request.access, pk)
    verb = request.POST.get("act", "")
    if verb in ("test", "refresh"):
        job = refresh_job.test_and_refresh(connection, access=request.access)
        return redirect(job_pages.href(job, request.access))
    if verb == "pause":
        form = PauseForm(request.POST)
        if form.is_valid():
            connection_services.pause(
                connection, by=request.user, reason=form.cleaned_data["reason"]
            )
            messages.success(
                request, f"{connection.name} is paused. Accepted items wait until you resume it."
            )
        else:
            messages.error(request, "Give the reason for the pause, in at most 300 characters.")
    elif verb == "resume":
        connection_services.resume(connection, by=request.user)
        messages.success(
            request, f"{connection.name} is resumed. Accepted items are exported again."
        )
    elif verb == "use":
        _use(request, connection)
    return redirect("erp:connection", request.access.account.pk)


def _use(request: ScopedRequest, connection: Connection) -> None:
    kind = kind_of(request.POST.get("kind", ""))
    # Refused while anything is open on the connection that serves the type now.
    try:
        dry_run.use_for(connection, kind.entity, by=request.user)
    except dry_run.NotUsed as refused:
        for reason in refused.reasons:
            messages.error(request, reason)
    else:
        messages.success(
            request, f"{kind.label_plural} are exported through {connection.name} from now on."
        )


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CONNECTION_VIEW)
def holdings(request: ScopedRequest, pk: int, kind: str) -> HttpResponseBase:
    """Show the ERP's records as of the last refresh; a POST starts to refresh them.

    :raises PermissionDenied: for a POST of a person who may not refresh.
    """
    access = request.access
    connection, record_kind = fetch(access, pk), kind_of(kind)
    # Approvers may refresh too (docs/design/permissions.md, "Who does what").
    may_read = access.can(Permission.CONNECTION_CONFIGURE) or access.can(
        Permission.ITEMS_ACCEPT, record_kind.entity
    )
    if request.method == "POST":
        if not may_read:
            raise PermissionDenied(may_read.why)
        job = refresh_job.refresh_only(connection, access=access, back=request.path)
        return redirect(job_pages.href(job, access))
    entity = adapter_loading.usable_manifest(connection, record_kind.entity)
    context = {
        "connection": connection,
        "kind": record_kind,
        "wait": wait_reasons.of_connection(connection),
        "imports": entity is not None and entity.imports,
        "may_read": may_read,
        "holds": holds.holdings(connection, entity, request.GET) if entity else None,
        **job_pages.running(access, refresh_job.subject(connection)),
    }
    return render(request, "erp/holdings.html", context)

"""A sentence about an item in export, depending on how the adapter delivers commands."""

from __future__ import annotations

from erp_integrations.adapters.base import Delivery
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.models import ExportFile, Item
from erp_integrations.models.states import State
from erpbridge.ui.times import format_time

# Only deliveries in which the ERP or a person does the next step; in the others a worker does.
SENTENCES: dict[tuple[str, str], str] = {
    (State.QUEUED, Delivery.POLLED): "It waits for the ERP to fetch it.",
    (State.SENDING, Delivery.POLLED): "The ERP has fetched it and not reported on it yet.",
    (State.UNCERTAIN, Delivery.POLLED): "The ERP fetched it and did not report on it. Its next "
    "call is answered with a lookup of the record, before anything is sent again.",
    (State.QUEUED, Delivery.FILE): "It waits for somebody to make the next file, on the page of "
    "the connection.",
    (State.UNCERTAIN, Delivery.FILE): "It was in a file whose result does not name it.",
}


def sentence(item: Item) -> str:
    """Return the next step of an item in export, empty if its state is explanation enough."""
    if item.state == State.SUBMITTED:
        return _handed_over(item)
    try:
        delivery = adapter_loading.manifest_of(item.connection).delivery
    except AdapterUnavailable:
        return ""
    # Not due yet: it waits for its parent, not for the ERP or a file.
    if item.waits_for is not None:
        return ""
    return SENTENCES.get((item.state, delivery), "")


def _handed_over(item: Item) -> str:
    files = ExportFile.objects.filter(connection=item.connection_id).defer("content")
    # The handle is a property, so the database cannot filter by it; hence the limit. The content of
    # the files is not loaded.
    file = next(
        (candidate for candidate in files.order_by("-pk")[:200] if candidate.handle == item.handle),
        None,
    )
    if file is None:
        return "It was submitted. The ERP processes it later."
    return (
        f"It is in file {file.name} of {format_time(file.made_at)}. Import it into the ERP, then "
        "report its result on the page of the connection."
    )

"""Look up a record that a person named in the ERP, then link the item to it.

A background job, because no page and no REST call waits for an ERP.
"""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.workflow import scoped_urls
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.accept.actions import ANSWER_THERE
from erp_integrations.workflow.refusals import MovedOn
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.jobs.kinds import register
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import JobProblem, Run
from erpbridge.jobs.start import start
from erpbridge.json_values import Json
from erpbridge.refusals import Refused

LOOK_UP_AND_LINK = "item.look_up_and_link"


def subject(item: Item) -> str:
    """The subject under which lookups of an item are stored."""
    return f"item:{item.pk}"


def link_named(item: Item, *, key: str, access: Access, why: str = "") -> Job | None:
    """Link the item to the ERP record that a person named.

    :param key: key or ID in the ERP, as the person typed it.
    :returns: the job that looks it up and links it; None if the item is linked already, because
        the ERP cannot be called.
    :raises Refused: if it cannot be linked, or another lookup for the item is running.
    """
    if State(item.state) not in ANSWER_THERE:
        raise MovedOn
    if not manual_resolution.can_look_up(item):
        manual_resolution.link_unchecked(item, key=key, by=access.user, why=why)
        return None
    # With the fence, a problem is no longer shown once the item has been exported again.
    args: Mapping[str, Json] = {"item": item.pk, "key": key, "why": why, "fence": item.fence}
    job, is_new = start(
        LOOK_UP_AND_LINK,
        access=access,
        subject=subject(item),
        title=f"Look up {key} in {item.connection.name}",
        back=scoped_urls.to(access, "item", public_id=item.public_id),
        args=args,
    )
    if not is_new and job.args != args:
        raise Refused(
            f"{job.args['key']} is being looked up for it. Wait for the result, then answer again."
        )
    return job


def latest(item: Item) -> Job | None:
    """Return the last lookup for the item, if it still runs, or failed since the last export."""
    # Most items need no answer; they are shown without this query.
    if State(item.state) not in ANSWER_THERE:
        return None
    jobs = Job.objects.filter(account=item.account_id, subject=subject(item), kind=LOOK_UP_AND_LINK)
    job = jobs.order_by("-pk").first()
    if job is None or job.args["fence"] != item.fence:
        return None
    return job if job.is_live or job.state == Job.State.FAILED else None


def step(run: Run) -> None:
    """Look the record up outside of a transaction, then link the item to it."""
    item = Item.objects.select_related("connection").get(pk=run.job.args["item"])
    key, why = run.job.args["key"], run.job.args["why"]
    run.alive()
    try:
        in_erp = manual_resolution.look_up(item, key)
        with run.chunk():
            manual_resolution.link_to(item, in_erp, by=run.job.by, why=why)
            run.finish({"text": f"{item.label} is linked to {in_erp.erp_code or in_erp.erp_id}."})
    except Refused as refused:
        raise JobProblem(str(refused)) from refused


def register_jobs() -> None:
    """Register the job with the workers."""
    register(LOOK_UP_AND_LINK, step, action=Permission.ITEMS_VIEW)

"""Variants of the plain calls of ``writes.py``, in ``further.txt``.

After an intended change run with ``ERPBRIDGE_FURTHER=anew``, and review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zeal import zeal_ignore

from admin_wbs.models import Segment, SubJob
from directory.company_fields import required_fields
from erp_integrations.models import Item
from erpbridge.access.policy import load
from tests.every_call import golden, writes
from tests.every_call.test_written import folded, lines_of
from tests.every_call.writes import ITEMS, WBS, Call, Scene, further_pairs, in_list, in_project
from tests.factories import CompanyFactory, CostCodeFactory

KEPT = Path(__file__).with_name("further.txt")
Further = tuple[str, Callable[[Scene], Call]]
IN_PROJECT = "project "
NOBODY = 10**9
# Locks are listed in written.txt; for several rows they depend on the order of the rows.
LOCKS = re.compile("locks|to compare")
TEXTS = (
    *("abbreviated_name", "address", "city", "business_phone", "mobile_phone", "fax_number"),
    *("license_number", "labor_union", "notes", "trade_name"),
)
FIRM: dict[str, Any] = {
    **{name: f"{name[:6]} 1" for name in TEXTS},
    "name": "Full Firm",
    "website": "https://example.com",
    "email_address": "full@example.com",
    "country_code": "us",
    "state_code": "or",
    "zip": "97301",
    "authorized_bidder": True,
    "prequalified": True,
    "union_member": True,
    "non_union_prevailing_wage": True,
    "bidding": {"small_business": True, "sdvo_business": True, "hispanic_business": False},
    "business_register_attributes": {"type": "ABN", "identifier": "51 824 753 556"},
    "origin_code": "FULL",
    "origin_data": "said by the ERP",
}
PERSON: dict[str, Any] = {
    "first_name": "Nia Maria",
    "last_name": "New",
    "email_address": "Nia@Example.com",
    "job_title": "Estimator",
    "is_active": True,
    "origin_id": "U-9",
    "origin_data": "from payroll",
    "permission_levels": {"directory": "standard", "erp_integrations": "Admin"},
    "create_edit_companies": True,
}
JOB: dict[str, Any] = {
    "name": "Pier 10",
    "project_number": "10",
    "active": False,
    "erp_integrated": True,
    "address": "10 Pier Road",
    "city": "Astoria",
    "state_code": "OR",
    "zip": "97103",
    "country_code": "US",
    "phone": "503-555-0107",
    "description": "On piles.",
    "start_date": "2026-03-01",
    "completion_date": "2027-03-01",
    "origin_id": "J-10",
    "origin_code": "PIER10",
    "origin_data": "phase one",
}
POLICY: dict[str, Any] = {
    **{name: f"{name} 1" for name in ("name", "policy_number", "insurance_type", "limit", "notes")},
    "insurance_provider": "Mutual",
    "status": "compliant",
    "exempt": True,
    "enable_expired_insurance_notifications": True,
    "effective_date": "2026-01-01T10:00:00Z",
    "expiration_date": "2027-01-01",
    "origin_id": "I-9",
    "origin_data": "said by the ERP",
}


def vendor(pk: Callable[[Scene], int], **values: Any) -> Callable[[Scene], Call]:
    return lambda s: Call(pk(s), {"vendor": values})


def of_segment(segment: Callable[[Scene], int], pk: Any = None, **body: Any) -> Any:
    return lambda s: Call(
        pk(s) if pk else 0,
        {name: value(s) if callable(value) else value for name, value in body.items()},
        path={"segment_id": segment(s)},
    )


def codes(s: Scene) -> int:
    return s.code_segment.pk


def types(s: Scene) -> int:
    return s.type_segment.pk


def sub_jobs(s: Scene) -> int:
    return s.account.segments.get(kind=Segment.Kind.SUB_JOB).pk


def phases(s: Scene) -> int:
    return s.phase.pk


def rows(*given: Callable[[Scene], dict[str, Any]], **beside: Any) -> Callable[[Scene], Call]:
    return lambda s: Call(body={"updates": [row(s) for row in given], **beside})


def seen(item: Item) -> dict[str, Any]:
    return {"id": item.pk, "digest": item.digest}


FURTHER: list[Further] = [
    # --- vendors
    (
        "POST vendors",
        lambda s: Call(
            body={
                "vendor": FIRM
                | {
                    "parent_id": s.vendor.pk,
                    "trade_ids": [s.trade.pk],
                    "standard_cost_code_ids": [s.code.pk, s.further.pk],
                }
            }
        ),
    ),
    (
        "PATCH vendors/{id}",
        lambda s: Call(
            s.vendor.pk,
            {
                "vendor": FIRM
                | {
                    "parent_id": s.other_vendor.pk,
                    "primary_contact_id": s.member.user_id,
                    "bidding_distribution_ids": [s.member.user_id],
                    "trade_ids": [s.trade.pk],
                    "standard_cost_code_ids": [s.code.pk],
                }
            },
        ),
    ),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, name="Firm A")),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, parent_id=NOBODY, trade_ids=[NOBODY])),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, standard_cost_code_ids=[NOBODY])),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, primary_contact_id=NOBODY)),
    ("PATCH vendors/{id}", lambda s: Call(s.vendor.pk, {"vendor": {"parent_id": s.vendor.pk}})),
    ("PATCH vendors/{id}", lambda s: Call(s.vendor.pk, {"vendor": {"parent_id": s.branch.pk}})),
    ("PATCH vendors/{id}", lambda s: Call(s.registered.pk, {"vendor": {"parent_id": s.vendor.pk}})),
    ("PATCH vendors/{id}", vendor(lambda s: s.branch.pk, parent_id=None)),
    ("PATCH vendors/{id}", vendor(lambda s: s.inactive_vendor.pk, is_active=True)),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, is_active=False)),
    ("PATCH vendors/{id}", vendor(lambda s: s.registered.pk, business_register_attributes=None)),
    (
        "PATCH vendors/{id}",
        vendor(
            lambda s: s.registered.pk,
            business_register_attributes={"type": "vat", "identifier": "12"},
        ),
    ),
    (
        "PATCH vendors/{id}",
        vendor(
            lambda s: s.vendor.pk, business_register_attributes={"type": "ein", "identifier": "x"}
        ),
    ),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, state_code="ZZ", country_code="US")),
    ("PATCH vendors/{id}", vendor(lambda s: s.other_vendor.pk, origin_id=None, origin_code="X")),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, origin_id="TAKEN")),
    ("PATCH vendors/{id}", vendor(lambda s: s.vendor.pk, bidding={"small_business": "so so"})),
    (
        "POST vendors",
        lambda s: Call(
            body={"vendor": {"name": "Bare"}}, query="run_configurable_validations=true"
        ),
    ),
    (
        "POST vendors",
        lambda s: Call(
            body={"vendor": {"name": "Bare"}, "run_configurable_validations": True},
        ),
    ),
    (
        "POST vendors",
        lambda s: Call(
            body={"vendor": {"name": "Zip", "zip": "97301", "trade_ids": [s.trade.pk]}},
            query="run_configurable_validations=true",
        ),
    ),
    (
        "PATCH vendors/sync",
        rows(
            lambda s: {"id": s.vendor.pk, "city": "Bend"},
            lambda s: {"origin_id": "TAKEN", "city": "Salem"},
            lambda s: {"name": "New", "origin_id": "N-1"},
            lambda s: {"name": "Newer", "origin_id": "N-1"},
            lambda s: {"id": NOBODY, "city": "Nowhere"},
            lambda s: {"id": s.registered.pk, "origin_id": "TAKEN"},
            lambda s: {"city": "Nameless"},
        ),
    ),
    (f"{IN_PROJECT}POST vendors", lambda s: Call(body={"vendor": {"name": "Here"}})),
    (f"{IN_PROJECT}POST vendors/{{id}}/actions/add", lambda s: Call(s.vendor.pk)),
    (f"{IN_PROJECT}POST vendors/{{id}}/actions/add", lambda s: Call(s.inactive_vendor.pk)),
    (f"{IN_PROJECT}DELETE vendors/{{id}}/actions/remove", lambda s: Call(s.elsewhere.pk)),
    (
        "POST vendors/{id}/business_register",
        lambda s: Call(s.registered.pk, {"business_register": {"type": "ein", "identifier": "9"}}),
    ),
    (
        "PATCH vendors/{id}/business_register",
        lambda s: Call(s.registered.pk, {"business_register": {"type": "abn"}}),
    ),
    (
        "PATCH vendors/{id}/business_register",
        lambda s: Call(s.registered.pk, {"business_register": {"identifier": "none"}}),
    ),
    # --- insurances, trades, departments
    (
        "POST vendors/{vendor_id}/insurances",
        lambda s: Call(body={"insurance": POLICY}, path={"vendor_id": s.vendor.pk}),
    ),
    (
        "PATCH vendors/{vendor_id}/insurances/{id}",
        lambda s: Call(s.insurance.pk, {"insurance": POLICY}, path={"vendor_id": s.vendor.pk}),
    ),
    (
        "PATCH vendors/{vendor_id}/insurances/sync",
        lambda s: Call(
            body={
                "updates": [
                    {"id": s.insurance.pk, "limit": "5"},
                    {"origin_id": "TAKEN", "limit": "6"},
                    {"name": "New", "origin_id": "I-5"},
                    {"id": s.insurance.pk, "origin_id": "TAKEN"},
                    {"id": NOBODY},
                ]
            },
            path={"vendor_id": s.vendor.pk},
        ),
    ),
    (
        "PATCH vendors/{vendor_id}/insurances/{id}",
        lambda s: Call(
            s.insurance.pk, {"insurance": {"limit": "1"}}, path={"vendor_id": s.registered.pk}
        ),
    ),
    ("POST trades", lambda s: Call(body={"trade": {"name": "Glazing", "active": False}})),
    ("POST trades", lambda s: Call(body={"trade": {"active": False}})),
    ("POST departments", lambda s: Call(body={"department": {}})),
    ("PATCH departments/{id}", lambda s: Call(s.department.pk, {"department": {"name": "SOUTH"}})),
    # --- users
    ("POST users", lambda s: Call(body={"user": PERSON | {writes_flag(): True}})),
    ("POST users", lambda s: Call(body={"user": PERSON | {"email_address": s.ada.email}})),
    ("POST users", lambda s: Call(body={"user": PERSON | {"origin_id": "TAKEN"}})),
    ("POST users", lambda s: Call(body={"user": {"first_name": "x" * 149, **mail("Y Z")}})),
    ("POST users", lambda s: Call(body={"user": PERSON | {"permission_levels": {"x": "Admin"}}})),
    (
        "POST users",
        lambda s: Call(body={"user": PERSON | {"permission_levels": {"admin": "Most"}}}),
    ),
    (f"{IN_PROJECT}POST users", lambda s: Call(body={"user": PERSON})),
    (f"{IN_PROJECT}POST users", lambda s: Call(body={"user": mail("Old")})),
    (
        "PATCH users/{id}",
        lambda s: Call(
            s.member.user_id,
            {
                "user": {
                    "first_name": "Nora",
                    "last_name": "North",
                    "permission_levels": {"admin": "Standard"},
                    "create_edit_companies": True,
                    writes_flag(): True,
                    "is_active": False,
                }
            },
        ),
    ),
    ("PATCH users/{id}", lambda s: Call(s.member.user_id, {"user": {"last_name": "South"}})),
    ("PATCH users/{id}", lambda s: Call(s.member.user_id, {"user": {"first_name": "Nina"}})),
    ("PATCH users/{id}", lambda s: Call(s.member.user_id, {"user": mail("Other")})),
    ("PATCH users/{id}", lambda s: Call(s.ada.pk, {"user": {"is_active": False}})),
    ("PATCH users/{id}", lambda s: Call(s.member.user_id, {"user": {"job_title": None}})),
    (
        f"{IN_PROJECT}PATCH users/{{id}}",
        lambda s: Call(s.member.user_id, {"user": {"permission_levels": {"admin": "Standard"}}}),
    ),
    (
        f"{IN_PROJECT}PATCH users/{{id}}",
        lambda s: Call(s.member.user_id, {"user": {"permission_levels": {"directory": "None"}}}),
    ),
    (
        f"{IN_PROJECT}POST users/{{id}}/actions/add",
        lambda s: Call(
            s.not_on_project.user_id, {"user": {"permission_levels": {"admin": "Admin"}}}
        ),
    ),
    (f"{IN_PROJECT}POST users/{{id}}/actions/add", lambda s: Call(s.member.user_id, {})),
    (f"{IN_PROJECT}POST users/{{id}}/actions/add", lambda s: Call(s.left.user_id, {})),
    (
        "PATCH users/sync",
        rows(
            lambda s: {"id": s.member.user_id, "job_title": "Buyer"},
            lambda s: {"id": s.member.user_id, "is_active": True},
            lambda s: {"origin_id": "TAKEN", "job_title": "Clerk"},
            lambda s: PERSON,
            lambda s: {"last_name": "Nameless"},
            lambda s: {"id": s.ada.pk, "permission_levels": {"directory": "None"}},
        ),
    ),
    # --- projects
    ("POST projects", lambda s: Call(body={"project": JOB})),
    (f"{IN_PROJECT}PATCH projects/{{project_id}}", lambda s: Call(body={"project": JOB})),
    (
        f"{IN_PROJECT}PATCH projects/{{project_id}}",
        lambda s: Call(body={"project": {"project_number": "7", "city": ""}}),
    ),
    (
        "PATCH projects/sync",
        rows(
            lambda s: {"id": s.project.pk, "project_number": "70"},
            lambda s: {"id": s.plain.pk, "project_number": "7"},
            lambda s: JOB,
            lambda s: {"name": "Twin", "origin_id": "J-11", "project_number": "10"},
            lambda s: {"project_number": "12"},
            lambda s: {"id": NOBODY},
        ),
    ),
    # --- lists and codes
    (
        "POST standard_cost_code_lists",
        lambda s: Call(
            body={
                "standard_cost_code_list": {
                    "name": "Civil",
                    "available_to_use_on_new_projects": False,
                }
            }
        ),
    ),
    (
        "POST standard_cost_code_lists",
        lambda s: Call(body={"standard_cost_code_list": {"name": "Civil", "is_erp_list": True}}),
    ),
    ("POST standard_cost_code_lists", lambda s: Call(body={"standard_cost_code_list": {}})),
    (
        "PATCH standard_cost_code_lists/{id}",
        lambda s: Call(
            s.list.pk,
            {
                "standard_cost_code_list": {
                    "name": "Homes",
                    "available_to_use_on_new_projects": False,
                    "is_erp_list": False,
                }
            },
        ),
    ),
    (
        "PATCH standard_cost_code_lists/{id}",
        lambda s: Call(s.list.pk, {"standard_cost_code_list": {"is_erp_list": True}}),
    ),
    (
        "PATCH standard_cost_code_lists/{id}",
        lambda s: Call(
            s.erp_list.pk, {"standard_cost_code_list": {"is_erp_list": False, "name": "Mine"}}
        ),
    ),
    (
        "POST standard_cost_codes",
        lambda s: Call(
            body=in_list(
                s,
                standard_cost_code={
                    "id": s.code.pk,
                    "code": "10-5",
                    "name": "Walls",
                    "parent_id": s.code.pk,
                    "origin_data": "said",
                    "origin_id": "C-9",
                },
            )
        ),
    ),
    (
        "POST standard_cost_codes",
        lambda s: Call(
            body=in_list(s, standard_cost_code={"code": "1", "name": "W", "parent_id": s.unsent.pk})
        ),
    ),
    (
        "POST standard_cost_codes",
        lambda s: Call(body=in_list(s, standard_cost_code={"code": "10", "name": "Twin"})),
    ),
    (
        "PATCH standard_cost_codes/{id}",
        lambda s: Call(
            s.under.pk, in_list(s, standard_cost_code={"code": "30-2", "name": "Moved"})
        ),
    ),
    (
        "PATCH standard_cost_codes/{id}",
        lambda s: Call(s.under.pk, in_list(s, standard_cost_code={"parent_id": s.code.pk})),
    ),
    (
        "PATCH standard_cost_codes/{id}",
        lambda s: Call(
            s.sent.pk,
            {
                "standard_cost_code_list_id": s.erp_list.pk,
                "standard_cost_code": {"name": "Locked"},
            },
        ),
    ),
    (
        "PATCH standard_cost_codes/{id}",
        lambda s: Call(
            s.code.pk,
            {"standard_cost_code_list_id": s.other_list.pk, "standard_cost_code": {"name": "No"}},
        ),
    ),
    ("DELETE standard_cost_codes/{id}", lambda s: Call(s.unused.pk)),
    ("DELETE standard_cost_codes/{id}", lambda s: Call(s.further.pk)),
    ("DELETE standard_cost_codes/{id}", lambda s: Call(s.sent.pk)),
    (
        "PATCH standard_cost_codes/sync",
        lambda s: Call(
            body=in_list(
                s,
                updates=[
                    {"id": s.code.pk, "name": "Walls"},
                    {"origin_id": "TAKEN", "name": "Roofs", "origin_data": "said"},
                    {"code": "30-7", "name": "Seven", "parent_id": s.further.pk},
                    {"code": "30-7", "name": "Again", "parent_id": s.further.pk},
                    {"code": "8", "name": "Astray", "parent_id": NOBODY},
                    {"id": NOBODY, "name": "Nobody"},
                    {"name": "Codeless"},
                ],
            )
        ),
    ),
    # --- cost types and sub jobs
    (
        "POST line_item_types",
        lambda s: Call(
            body={
                "line_item_type": {
                    "name": "Rental",
                    "csv_import_code": "R",
                    "base_type": "equipment",
                    "origin_data": "said",
                }
            }
        ),
    ),
    (
        "PATCH line_item_types/{id}",
        lambda s: Call(s.cost_type.pk, {"line_item_type": {"base_type": "equipment"}}),
    ),
    (
        "PATCH line_item_types/{id}",
        lambda s: Call(s.cost_type.pk, {"line_item_type": {"csv_import_code": "E"}}),
    ),
    (
        "PATCH line_item_types/sync",
        rows(
            lambda s: {"id": s.cost_type.pk, "name": "Work"},
            lambda s: {"origin_id": "TAKEN", "name": "Tools"},
            lambda s: {"name": "Rental", "csv_import_code": "R"},
            lambda s: {"name": "Codeless"},
        ),
    ),
    (
        "POST sub_jobs",
        lambda s: Call(
            body=in_project(s, sub_job={"code": "N", "name": "North", "origin_data": "said"})
        ),
    ),
    (
        "PATCH sub_jobs/{id}",
        lambda s: Call(
            SubJob.objects.get(origin_id="TAKEN").pk, in_project(s, sub_job={"code": "TT"})
        ),
    ),
    (
        "PATCH sub_jobs/{id}",
        lambda s: Call(s.sub_job.pk, in_project(s, sub_job={"code": "T", "name": "tower"})),
    ),
    ("POST sub_jobs", lambda s: Call(body=in_project(s, sub_job={}))),
    (
        "PATCH sub_jobs/sync",
        lambda s: Call(
            body=in_project(
                s,
                updates=[
                    {"id": s.sub_job.pk, "name": "South End"},
                    {"origin_id": "TAKEN", "name": "High Tower"},
                    {"code": "N", "name": "North"},
                    {"code": "n", "name": "Again"},
                    {"id": NOBODY},
                ],
            )
        ),
    ),
    # --- cost codes of projects
    ("POST cost_codes", lambda s: Call(body=in_project(s, cost_code={"code": "30"}))),
    (
        "POST cost_codes",
        lambda s: Call(body=in_project(s, cost_code={"parent_id": s.plain_here.pk, "code": "9"})),
    ),
    ("POST cost_codes", lambda s: Call(body=in_project(s, cost_code={"code": "10"}))),
    ("POST cost_codes", lambda s: Call(body=in_project(s, cost_code={"code": "none"}))),
    (
        "POST cost_codes",
        lambda s: Call(body=in_project(s, sub_job_id=s.sub_job.pk, cost_code={"code": "30"})),
    ),
    (
        "POST cost_codes",
        lambda s: Call(body={"project_id": s.project.pk, "cost_code": {"code": "30"}}),
    ),
    (
        "PATCH cost_codes/{id}",
        lambda s: Call(s.plain_here.pk, in_project(s, cost_code={"name": "Other", "code": "11"})),
    ),
    (
        "PATCH cost_codes/sync",
        lambda s: Call(
            body=in_project(
                s,
                updates=[
                    {"id": s.plain_here.pk, "name": s.code.description, "code": "10"},
                    {"origin_id": "TAKEN", "code": "20"},
                    {"code": "30"},
                    {"standard_cost_code_id": s.under.pk},
                    {"id": s.plain_here.pk, "standard_cost_code_id": s.further.pk},
                    {"id": s.plain_here.pk, "parent_id": NOBODY},
                    {"origin_id": "unknown"},
                    {},
                ],
            )
        ),
    ),
    (
        "POST cost_codes/copy_subset_from_standard_list",
        lambda s: Call(
            body=in_project(
                s, **in_list(s, standard_cost_code_ids=[s.under.pk, s.code.pk, s.unsent.pk])
            )
        ),
    ),
    (
        "POST cost_codes/copy_from_standard_list",
        lambda s: Call(body=in_project(s, standard_cost_code_list_id=NOBODY)),
    ),
    # --- the structure
    (
        f"POST {WBS}/segments",
        lambda s: Call(
            body={
                "name": "Floor",
                "structure": "tiered",
                "project_can_modify_origin_project": True,
                "project_can_delete_origin_company": True,
            }
        ),
    ),
    (f"POST {WBS}/segments", lambda s: Call(body={"structure": "flat"})),
    (f"POST {WBS}/segments", lambda s: Call(body={"name": "zone"})),
    (
        f"PATCH {WBS}/segments/{{id}}",
        lambda s: Call(
            s.phase.pk,
            {
                "structure": "flat",
                "project_can_modify_origin_project": False,
                "project_can_delete_origin_company": True,
            },
        ),
    ),
    (f"PATCH {WBS}/segments/{{id}}", lambda s: Call(s.phase.pk, {"structure": "tiered"})),
    (f"DELETE {WBS}/segments/{{id}}", lambda s: Call(s.area.pk)),
    (f"DELETE {WBS}/segments/{{id}}", lambda s: Call(s.code_segment.pk)),
    (f"{IN_PROJECT}PUT {WBS}/patterns/add_segment", lambda s: Call(body={"segment_id": s.area.pk})),
    (f"{IN_PROJECT}PUT {WBS}/patterns/add_segment", lambda s: Call(body={})),
    (
        f"{IN_PROJECT}PUT {WBS}/patterns/remove_segment",
        lambda s: Call(body={"segment_id": s.code_segment.pk}),
    ),
    (
        f"PUT {WBS}/patterns/update_segment_order",
        lambda s: Call(body={"updated_order": [{"segment_id": s.phase.pk, "position": 0}]}),
    ),
    (
        f"PUT {WBS}/patterns/update_segment_order",
        lambda s: Call(body={"updated_order": [{"segment_id": s.phase.pk}]}),
    ),
    (
        f"POST {ITEMS}",
        of_segment(
            codes,
            code="31",
            name="Doors",
            parent_id=lambda s: s.further.pk,
            segment_item_list_id=lambda s: s.list.pk,
        ),
    ),
    (f"POST {ITEMS}", of_segment(codes, code="31", name="Doors")),
    (f"POST {ITEMS}", of_segment(codes, code="31", name="D", segment_item_list_id=NOBODY)),
    (f"POST {ITEMS}", of_segment(types, code="R", name="Rental")),
    (f"POST {ITEMS}", of_segment(types, code="R", name="R", parent_id=lambda s: s.cost_type.pk)),
    (f"POST {ITEMS}", of_segment(types, code="L", name="Twin")),
    (f"POST {ITEMS}", of_segment(sub_jobs, code="N", name="North")),
    (f"POST {ITEMS}", of_segment(phases, code="P3", name="Sub", parent_id=lambda s: s.item.pk)),
    (f"POST {ITEMS}", of_segment(phases, code="P3", name="Sub", parent_id=NOBODY)),
    (f"POST {ITEMS}", of_segment(phases, code="P3")),
    (f"PATCH {ITEMS}/{{id}}", of_segment(codes, lambda s: s.code.pk, code="11", name="Walls")),
    (f"PATCH {ITEMS}/{{id}}", of_segment(codes, lambda s: s.sent.pk, name="Locked")),
    (f"PATCH {ITEMS}/{{id}}", of_segment(types, lambda s: s.cost_type.pk, code="LL", name="Work")),
    (
        f"PATCH {ITEMS}/{{id}}",
        of_segment(codes, lambda s: s.under.pk, parent_id=lambda s: s.code.pk),
    ),
    (
        f"PATCH {ITEMS}/{{id}}",
        of_segment(codes, lambda s: s.under.pk, name="U", parent_id=lambda s: s.further.pk),
    ),
    (f"DELETE {ITEMS}/{{id}}", of_segment(codes, lambda s: s.further.pk)),
    (f"DELETE {ITEMS}/{{id}}", of_segment(codes, lambda s: s.under.pk)),
    (f"DELETE {ITEMS}/{{id}}", of_segment(codes, lambda s: s.code.pk)),
    (f"DELETE {ITEMS}/{{id}}", of_segment(types, lambda s: s.cost_type.pk)),
    (
        f"DELETE {ITEMS}/bulk_destroy",
        of_segment(codes, ids=lambda s: [s.under.pk, s.code.pk, s.unused.pk, s.sent.pk, NOBODY]),
    ),
    (f"DELETE {ITEMS}/bulk_destroy", of_segment(types, ids=lambda s: [s.cost_type.pk])),
    (f"DELETE {ITEMS}/bulk_destroy", of_segment(codes, ids=[NOBODY])),
    (
        f"PATCH {ITEMS}/update_all",
        of_segment(
            codes,
            ids=lambda s: [s.under.pk, s.unused.pk],
            attributes={"status": "inactive"},
        ),
    ),
    (
        f"PATCH {ITEMS}/update_all",
        of_segment(codes, ids=lambda s: [s.further.pk], attributes={"status": "inactive"}),
    ),
    (
        f"PATCH {ITEMS}/update_all",
        of_segment(codes, ids=lambda s: [s.code.pk, NOBODY], attributes={"status": "inactive"}),
    ),
    (
        f"PATCH {ITEMS}/update_all",
        of_segment(phases, ids=lambda s: [s.item.pk], attributes={"status": "active"}),
    ),
    (
        f"PATCH {ITEMS}/update_all",
        of_segment(types, ids=lambda s: [s.cost_type.pk], attributes={"status": "inactive"}),
    ),
    # --- budget codes
    (
        f"{IN_PROJECT}POST {WBS}/wbs_codes",
        lambda s: Call(body={"segment_items": s.pairs, "description": "Again"}),
    ),
    (
        f"{IN_PROJECT}POST {WBS}/wbs_codes",
        lambda s: Call(body={"segment_items": s.pairs[:1]}),
    ),
    (
        f"{IN_PROJECT}PATCH {WBS}/wbs_codes/bulk_create",
        lambda s: Call(
            body={
                "bulk": [
                    {"segment_items": further_pairs(s), "description": "New"},
                    {"segment_items": s.pairs, "description": "Known"},
                    {"segment_items": []},
                    {"segment_items": "none"},
                    {"segment_items": [{"segment_id": s.phase.pk}]},
                ]
            }
        ),
    ),
    (
        f"{IN_PROJECT}PATCH {WBS}/wbs_codes/{{id}}",
        lambda s: Call(s.budget_code.pk, {"status": "inactive"}),
    ),
    (
        f"{IN_PROJECT}PATCH {WBS}/wbs_codes/{{id}}",
        lambda s: Call(s.budget_code.pk, {"status": "gone"}),
    ),
    (
        f"{IN_PROJECT}PATCH {WBS}/wbs_codes/update_all",
        lambda s: Call(
            body={"ids": [s.budget_code.pk, NOBODY], "attributes": {"status": "inactive"}}
        ),
    ),
    # --- clicks
    (
        "POST standard_cost_code_lists/{id}/actions/send_to_erp",
        lambda s: Call(
            s.erp_list.pk,
            {
                "standard_cost_code_ids": [s.unsent.pk],
                "note": "Please.",
                "revision": s.erp_list.revision,
            },
        ),
    ),
    (
        "POST standard_cost_code_lists/{id}/actions/send_to_erp",
        lambda s: Call(s.erp_list.pk, {"revision": 99}),
    ),
    ("POST standard_cost_code_lists/{id}/actions/send_to_erp", lambda s: Call(s.list.pk, {})),
    (
        "POST standard_cost_code_lists/{id}/actions/send_to_erp",
        lambda s: Call(s.erp_list.pk, {"standard_cost_code_ids": [s.sent.pk]}),
    ),
    (
        "POST standard_cost_code_lists/{id}/actions/retrieve_from_erp",
        lambda s: Call(s.erp_list.pk, {"standard_cost_code_ids": [s.unsent.pk]}),
    ),
    (
        "POST standard_cost_codes/{id}/actions/send_to_erp",
        lambda s: Call(s.unsent.pk, {"revision": s.unsent.revision, "note": "Please."}),
    ),
    (
        "POST standard_cost_codes/{id}/actions/send_to_erp",
        lambda s: Call(s.unsent.pk, {"revision": 99}),
    ),
    ("POST standard_cost_codes/{id}/actions/send_to_erp", lambda s: Call(s.sent.pk, {})),
    ("POST standard_cost_codes/{id}/actions/send_to_erp", lambda s: Call(s.code.pk, {})),
    ("POST standard_cost_codes/{id}/actions/retrieve_from_erp", lambda s: Call(s.unsent.pk)),
    (
        "POST vendors/{id}/actions/send_to_erp",
        lambda s: Call(s.vendor.pk, {"revision": s.vendor.revision, "note": "Please."}),
    ),
    ("POST vendors/{id}/actions/send_to_erp", lambda s: Call(s.ready.record_id, {})),
    ("POST vendors/{id}/actions/retrieve_from_erp", lambda s: Call(s.vendor.pk)),
    ("POST vendors/{id}/actions/retrieve_from_erp", lambda s: Call(s.queued.record_id)),
    (
        "POST vendors/actions/send_to_erp",
        rows(
            lambda s: {"id": s.vendor.pk, "revision": s.vendor.revision},
            lambda s: {"id": s.registered.pk, "revision": 99},
            lambda s: {"id": s.ready.record_id},
            lambda s: {"id": s.vendor.pk},
            lambda s: {"id": NOBODY},
            lambda s: {"id": "x"},
            lambda s: {"id": s.elsewhere.pk, "revision": "x"},
            lambda s: {},
            note="Please.",
        ),
    ),
    (
        "POST vendors/actions/retrieve_from_erp",
        rows(
            lambda s: {"id": s.ready.record_id},
            lambda s: {"id": s.queued.record_id},
            lambda s: {"id": s.vendor.pk},
        ),
    ),
    # --- the queue
    ("PATCH erp_queue/{id}", lambda s: Call(s.ready.pk, {"acceptance": {"vendor_type": "none"}})),
    ("PATCH erp_queue/{id}", lambda s: Call(s.queued.pk, {"acceptance": {"vendor_type": "SUB"}})),
    (
        "POST erp_queue/{id}/actions/accept",
        lambda s: Call(s.ready.pk, {"digest": "0" * 64, "acceptance": {}}),
    ),
    (
        "POST erp_queue/{id}/actions/accept",
        lambda s: Call(s.ready.pk, {"digest": s.ready.digest, "acceptance": {"vendor_type": "X"}}),
    ),
    (
        "POST erp_queue/{id}/actions/accept",
        lambda s: Call(
            s.ready.pk,
            {
                "digest": s.ready.digest,
                "acceptance": {"vendor_type": s.vendor_type, "vendor_id": "SYNCEDI001"},
            },
        ),
    ),
    (
        "POST erp_queue/{id}/actions/accept",
        lambda s: Call(s.queued.pk, {"digest": s.queued.digest}),
    ),
    (
        "POST erp_queue/{id}/actions/retry",
        lambda s: Call(s.ready.pk, {"digest": s.ready.digest}),
    ),
    (
        "POST erp_queue/{id}/actions/reject",
        lambda s: Call(s.waiting.pk, {"reason": "No W-9.", "include_children": True}),
    ),
    (
        "POST erp_queue/{id}/actions/reject",
        lambda s: Call(s.waiting.pk, {"reason": "No.", "digest": "0" * 64}),
    ),
    ("POST erp_queue/{id}/actions/reject", lambda s: Call(s.queued.pk, {"reason": "No."})),
    ("POST erp_queue/{id}/actions/withdraw", lambda s: Call(s.ready.pk, {"reason": "Wait."})),
    (
        "POST erp_queue/{id}/actions/answer",
        lambda s: Call(s.unknown.pk, {"answer": "there", "origin_id": "none", "reason": "I saw."}),
    ),
    (
        "POST erp_queue/{id}/actions/answer",
        lambda s: Call(s.unknown.pk, {"answer": "there", "origin_id": "1", "reason": "I saw."}),
    ),
    (
        "POST erp_queue/{id}/actions/answer",
        lambda s: Call(s.unknown.pk, {"answer": "there", "reason": "I saw."}),
    ),
    (
        "POST erp_queue/{id}/actions/answer",
        lambda s: Call(s.ready.pk, {"answer": "not_there", "reason": "I looked."}),
    ),
    (
        "POST erp_queue/{id}/actions/link_instead",
        lambda s: Call(s.twin.pk, {"digest": s.twin.digest, "origin_id": "none"}),
    ),
    (
        "POST erp_queue/{id}/actions/link_instead",
        lambda s: Call(s.twin.pk, {"digest": "0" * 64, "origin_id": s.in_erp.erp_id}),
    ),
    ("POST erp_queue/{id}/actions/unlink", lambda s: Call(s.ready.pk, {"reason": "Wrong."})),
    (
        "POST erp_queue/actions/accept",
        rows(
            lambda s: seen(s.ready),
            lambda s: {**seen(s.waiting), "acceptance": {"vendor_type": "none"}},
            lambda s: {**seen(s.twin), "acceptance": {"vendor_type": {}}},
            lambda s: {"id": s.failed.pk},
            lambda s: {"id": s.queued.pk, "digest": "0" * 64},
            lambda s: seen(s.ready),
            lambda s: {"id": NOBODY, "digest": "x"},
            lambda s: {"id": {}},
            acceptance={"vendor_type": "SUB"},
        ),
    ),
    (
        "POST erp_queue/actions/retry",
        rows(lambda s: seen(s.failed), lambda s: seen(s.ready)),
    ),
    (
        "POST erp_queue/actions/reject",
        rows(
            lambda s: {"id": s.ready.pk, "reason": "Its own."},
            lambda s: {"id": s.waiting.pk},
            lambda s: {"id": s.twin.pk, "reason": "x" * 2_001},
            lambda s: {"id": s.queued.pk},
            reason="That of all.",
        ),
    ),
    ("POST erp_queue/actions/reject", rows(lambda s: {"id": s.ready.pk})),
]


def writes_flag() -> str:
    return "erp_integrated_accountant"


def mail(last_name: str) -> dict[str, str]:
    return {"last_name": last_name, "email_address": "somebody.else@example.com"}


@pytest.fixture
def scene(all_segments, account, ada) -> Scene:
    extended = Scene(account, ada)
    extended.branch = CompanyFactory.create(account=account, name="Branch", parent=extended.vendor)
    extended.under = CostCodeFactory.create(
        list=extended.list, parent=extended.further, code="1", description="Under"
    )
    extended.vendor.people.add(extended.member)
    access = load(ada, account)
    assert access is not None
    required_fields.configure(["zip", "trades"], by=access)
    for row in (extended.vendor, extended.unsent, extended.list, extended.erp_list):
        row.refresh_from_db()
    return extended


@pytest.mark.parametrize("part", range(golden.PARTS))
def test_each_further_call_does_what_the_file_says(scene, api, part):
    operations = {
        f"{IN_PROJECT * operation.of_project}{operation.method} {operation.name}": operation
        for operation in writes.distinct()
    }
    blocks = []
    for key, make in FURTHER[part :: golden.PARTS]:
        operation, call = operations[key], make(scene)
        with zeal_ignore():  # a sync of people stores each person separately
            lines = [
                line for line in lines_of(scene, api, operation, call) if not LOCKS.match(line)
            ]
        block = [f"{key} {call.query}".rstrip()]
        blocks.append(block + [part_of_line for line in lines for part_of_line in folded(line)])
    golden.compare(KEPT, part, blocks, of=len(FURTHER), anew="ERPBRIDGE_FURTHER")

"""Every filter and every sort of every list, over the rows of :mod:`tests.every_call.known`.

A line has the query and the rows of the answer, by the last digit of their ids and in order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from erpbridge.oauth.applications import Service
from erpbridge.rest.schema.openapi import describe
from tests.every_call import known
from tests.rest.fixtures import EVERYTHING, Api, service_of

COMPANY, PROJECT = f"companies/{known.ACCOUNT}", f"projects/{known.PROJECT}"
WBS = "work_breakdown_structure"
CLICK = "00000000-0000-0000-0000-00000000"
TABLE: dict[str, str] = {
    "companies": """
        filters[id]=9100000 -> 0
        filters[id]=1 -> none
        filters[name]=harbor -> 0
        filters[name]=bridge -> none
        sort=name -> 0
        """,
    "vendors": """
        -> 0 1
        filters[id]=9500001,9500002 -> 1
        filters[origin_id]=V-1 -> 1
        filters[origin_code]=BLUE -> 1
        filters[abbreviated_name]=BHC -> 1
        filters[search]=concrete -> 1
        filters[created_at]=2026-03-26 -> 0
        filters[updated_at]=2026-03-27 -> 0
        filters[trade_id]=9510001 -> 1
        filters[trade_id]=1 -> none
        filters[standard_cost_code_id]=9610001 -> 1
        filters[standard_cost_code_id]=961000 -> none
        filters[standard_cost_code_id]=610001 -> none
        filters[standard_cost_code_id]=1,9610000 -> 1
        filters[standard_cost_code_id]=, -> none
        filters[parent_id]=9500000 -> 1
        sort=name -> 1 0
        sort=-created_at -> 1 0
        sort=-updated_at -> 1 0
        sort=-origin_code -> 1 0
        sort=main_office_name -> 0 1
        sort=-main_office_name -> 0 1
        sort=-project_and_bid_counts -> 1 0
        """,
    f"{COMPANY}/vendors/inactive": """
        -> 2
        filters[created_at]=2026-03-30 -> 2
        filters[created_at]=2026-03-29 -> none
        """,
    f"{PROJECT}/vendors": """
        -> 0 1
        filters[search]=holding -> 0
        """,
    f"{COMPANY}/vendors/9500001/insurances": """
        filters[id]=9530001 -> 1
        filters[origin_id]=origin id 2 -> 0
        filters[updated_at]=2026-04-08 -> 1
        sort=expiration_date -> 1 0
        """,
    f"{COMPANY}/trades": """
        filters[id]=9510001 -> 1
        filters[active]=true -> 0
        filters[active]=false -> 1
        filters[query]=carp -> 1
        filters[updated_at]=2026-04-01 -> 0
        sort=name -> 1 0
        """,
    "departments": """
        filters[id]=9520001 -> 1
        sort=name -> 1 0
        """,
    "users": """
        -> 0 1 2 3 4
        filters[id]=9300002 -> 2
        filters[active]=true -> 0 1 2
        filters[active]=false -> 3 4
        filters[employee]=true -> 0 1 2 3 4
        filters[employee]=false -> none
        filters[erp_integrated_accountant]=true -> 0
        filters[erp_integrated_accountant]=false -> 1 2 3 4
        filters[origin_id]=U-3 -> 2
        filters[search]=pat -> 1
        filters[search]=estimator -> 2
        filters[search_by_full_name]=maria -> 0
        filters[search_by_full_name]=estimator -> none
        filters[created_at]=2026-03-20 -> 2
        filters[updated_at]=2026-03-21 -> 2
        filters[vendor_id]=9500001 -> none
        filters[trade_id]=9510001 -> none
        filters[permission_template]=1 -> none
        sort=-id -> 4 3 2 1 0
        sort=email -> 0 4 3 1 2
        sort=-job_title -> 2 0 1 3 4
        sort=-created_at -> 4 3 2 1 0
        sort=-updated_at -> 4 3 2 1 0
        sort=name -> 0 4 3 1 2
        sort=full_name -> 0 4 3 1 2
        sort=vendor_name -> 0 4 3 1 2
        sort=permission_template -> 0 4 3 1 2
        """,
    f"{COMPANY}/users": """
        -> 0 1 2
        """,
    f"{COMPANY}/users/inactive": """
        -> 3 4
        """,
    f"{PROJECT}/users": """
        -> 2
        """,
    "projects": """
        -> 0 1
        filters[id]=9200001 -> 1
        filters[origin_id]=J-1042 -> 0
        filters[name]=pier -> 0
        filters[name]=1042 -> none
        filters[search]=quarry -> 1
        filters[search]=1042 -> 0
        filters[synced]=true -> 0
        filters[synced]=false -> 1
        filters[by_status]=Active -> 0
        filters[by_status]=Inactive -> 1
        filters[by_status]=All -> 0 1
        filters[vendor_id]=9500000 -> 0
        filters[vendor_id]=9500000,9500001 -> 0 1
        filters[created_at]=2026-03-12 -> 0
        filters[updated_at]=2026-03-15 -> 1
        sort=-name -> 1 0
        sort=display_name -> 1 0
        sort=project_number -> 1 0
        sort=-created_at -> 1 0
        sort=-updated_at -> 1 0
        """,
    f"{COMPANY}/projects": """
        filters[by_status]=Active -> 0
        sort=-name -> 1 0
        """,
    "standard_cost_code_lists": """
        filters[id]=9600001 -> 1
        filters[name]=erp -> 1
        filters[is_erp_list]=true -> 1
        filters[is_erp_list]=false -> 0
        sort=name -> 1 0
        """,
    "standard_cost_codes?standard_cost_code_list_id=9600000": """
        -> 0 1 2
        only_active_cost_codes=true -> 0 1
        only_active_cost_codes=false -> 0 1 2
        filters[id]=9610001,9610003 -> 1
        filters[parent_id]=9610000 -> 1
        filters[origin_id]=C-5 -> 2
        filters[active]=false -> 2
        filters[search]=earth -> 1
        filters[created_at]=2026-04-11 -> 1
        filters[updated_at]=2026-04-14 -> 2
        sort=-code -> 2 1 0
        sort=-full_code -> 2 1 0
        sort=name -> 1 0 2
        sort=-updated_at -> 2 1 0
        """,
    f"{COMPANY}/standard_cost_code_lists/9600000/cost_codes": """
        -> 0 1 2
        only_active_cost_codes=true -> 0 1
        """,
    f"{COMPANY}/cost_codes": """
        -> 0 1 2 3
        """,
    "line_item_types": """
        filters[id]=9620001 -> 1
        filters[origin_id]=T-0 -> 0
        filters[base_type]=equipment -> 1
        filters[code]=E -> 1
        sort=-name -> 1 0
        sort=code -> 1 0
        """,
    f"sub_jobs?project_id={known.PROJECT}": """
        filters[id]=9630001 -> 1
        filters[origin_id]=S-1 -> 0
        filters[active]=true -> 0
        filters[active]=false -> 1
        filters[search]=north -> 1
        filters[created_at]=2026-04-19 -> 0
        filters[updated_at]=2026-04-22 -> 1
        sort=code -> 1 0
        sort=name -> 1 0
        """,
    f"cost_codes?project_id={known.PROJECT}": """
        -> 0 1 2
        sub_job_id=9630000 -> none
        filters[id]=9660001 -> 1
        filters[origin_id]=C-5 -> 1
        filters[standard_cost_code_id]=9610001 -> 2
        filters[search]=earth -> 2
        filters[created_at]=2026-03-01 -> 2
        filters[updated_at]=2026-04-17 -> 0
        filters[updated_at]=2026-04-12 -> 2
        sort=full_code -> 0 2 1
        sort=name -> 2 0 1
        """,
    f"{COMPANY}/{WBS}/segments": """
        -> 0 1 2 3 4
        filters[id]=9640001 -> 1
        filters[type]=custom -> 3 4
        """,
    f"{PROJECT}/{WBS}/segments": """
        -> 0 1 2 3
        filters[type]=custom -> 3
        """,
    f"{COMPANY}/{WBS}/segments/9640000/segment_items?segment_item_list_id=9600000": """
        -> 0 1 2
        filters[id]=9610001 -> 1
        filters[parent_id]=9610000 -> 1
        filters[status]=inactive -> 2
        filters[status]=active -> 0 1
        filters[search]=earth -> 1
        sort=-code -> 2 1 0
        sort=-path_code -> 2 1 0
        sort=name -> 1 0 2
        """,
    f"{COMPANY}/{WBS}/segments/9640003/segment_items": """
        -> 0 1 2
        filters[id]=9650001 -> 1
        filters[parent_id]=9650000 -> 1
        filters[status]=inactive -> 1
        filters[search]=gate -> 2
        sort=-code -> 2 1 0
        sort=name -> 2 1 0
        """,
    f"{COMPANY}/{WBS}/segments/9640001/segment_items": """
        filters[id]=9620001 -> 1
        sort=code -> 1 0
        """,
    f"{COMPANY}/{WBS}/segments/9640002/segment_items": """
        -> none
        """,
    f"{PROJECT}/{WBS}/segments/9640000/segment_items": """
        -> 0 1 2
        segment_item_list_id=9600001 -> none
        segment_item_list_id=9600000 -> 0 1 2
        filters[id]=9660001 -> 1
        filters[parent_id]=9660000 -> 2
        filters[status]=inactive -> 1
        filters[search]=earth -> 2
        sort=code -> 0 2 1
        sort=path_code -> 0 2 1
        sort=name -> 2 0 1
        """,
    f"{PROJECT}/{WBS}/segments/9640002/segment_items": """
        filters[id]=9630001 -> 1
        sort=code -> 1 0
        """,
    f"{PROJECT}/{WBS}/wbs_codes": """
        -> 0 1
        filters[id]=9670001 -> 1
        filters[status]=active -> 0
        filters[status]=inactive -> 1
        filters[created_at]=2026-04-29 -> 0
        filters[updated_at]=2026-05-02 -> 1
        sort=-updated_at -> 1 0
        scope=budget_code -> 0 1
        scope=production_quantity_code -> none
        can_select_divisions=true -> 0 1
        can_select_divisions=false -> 0
        query=tower -> 0
        query=rental -> 0
        query=hall -> 0
        query=site -> 1
        query=02-220.e -> 0
        query=wing site -> 1
        query=wing rental -> none
        """,
    f"{COMPANY}/erp_queue": f"""
        -> 0 1 2 3
        filters[id]=9710001 -> 1
        filters[status]=ready_to_export -> 1
        filters[status]=rejected,synced -> 0 3
        filters[erp_status]=failed_to_export -> 2
        filters[state]=failed -> 2
        filters[entity]=vendor -> 0 1 2 3
        filters[entity]=cost_code -> none
        filters[item_type]=standard_cost_code -> none
        filters[item_id]=9500001 -> 3
        filters[project_id]=9200000 -> 2
        filters[origin_id]=V-1 -> 3
        filters[request_id]={CLICK}2329 -> 0 1 2 3
        filters[request_id]={CLICK}232a -> 2 3
        filters[sent_at]=2026-05-07 -> 1
        filters[decided_at]=2026-05-11 -> 3
        filters[search]=firm 2 -> 2
        sort=-label -> 3 2 1 0
        sort=-sent_at -> 3 2 1 0
        filters[id]=9710002,9710003&sort=-decided_at -> 3 2
        """,
    f"{PROJECT}/erp_queue": """
        -> 2
        """,
}


def lines() -> Iterator[tuple[str, str, list[int]]]:
    """Address of a list, the query, and the last digits of the ids that are returned."""
    for path, queries in TABLE.items():
        for line in queries.strip().splitlines():
            query, expected = (part.strip() for part in f" {line} ".split(" -> "))
            digits = [] if expected == "none" else [int(digit) for digit in expected.split()]
            yield path, query, digits


@pytest.fixture
def api(db: None) -> Api:
    rows = known.Known()
    service = Service(levels=EVERYTHING, can_push_to_accounting=True)
    return service_of(rows.account, rows.ada, "Nightly sync", service)


def test_each_filter_lets_through_what_it_says_and_each_sort_orders_by_it(api):
    wrong = []
    for path, query, expected in lines():
        response = api.get("&".join(filter(None, [path + "?" * ("?" not in path), query])))
        body = response.json()
        digits = [row["id"] % 10 for row in body] if response.status_code == 200 else body
        if digits != expected or response["Total"] != str(len(expected)):
            wrong.append((path, query, digits))
    assert wrong == [], "\n".join(map(str, wrong))


def test_no_filter_and_no_sort_of_a_list_is_left_out():
    """For several lists with the same filters and sorts the table has only one list."""
    asked: defaultdict[str, set[str]] = defaultdict(set)
    for path, query, _expected in lines():
        words = re.findall(r"filters\[\w+\]", query) + re.findall(r"sort=-?(\w+)", query)
        asked[path.partition("?")[0]].update(words)
    for path, calls in describe()["paths"].items():
        if paged(calls.get("get", {})):
            assert any(words_of(calls["get"]) <= words for words in asked.values()), path


def paged(call: dict) -> bool:
    return any(parameter["name"] == "sort" for parameter in call.get("parameters", ()))


def words_of(call: dict) -> set[str]:
    filters = {
        parameter["name"]
        for parameter in call["parameters"]
        if parameter["name"].startswith("filters[")
    }
    texts = [
        parameter["description"] for parameter in call["parameters"] if parameter["name"] == "sort"
    ]
    sorts = {word for text in texts for word in re.findall(r"\w+", text.rpartition(": ")[2])}
    return filters | (sorts - {"id"})

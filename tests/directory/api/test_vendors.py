"""Vendors of a company: reading them in every shape, writing them under the pages' rules."""

from __future__ import annotations

import pytest
from django.utils import timezone

from directory.companies import services as company_services
from directory.company_fields import required_fields as company_fields_required_fields
from directory.models import Company
from erp_integrations.models import Link
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from tests.factories import CompanyFactory, CostCodeFactory, ItemFactory, TradeFactory

NORMAL = {
    *("id", "name", "abbreviated_name", "address", "attachments", "authorized_bidder"),
    *("business_id", "business_phone", "business_register", "city", "contact_count", "company"),
    *("country_code", "created_at", "email_address", "fax_number", "is_active", "is_connected"),
    *("labor_union", "license_number", "logo", "mobile_phone", "non_union_prevailing_wage"),
    *("notes", "origin_code", "origin_data", "origin_id", "prequalified", "primary_contact"),
    *("state_code", "synced_to_erp", "trade_name", "union_member", "updated_at", "vendor_group"),
    *("website", "zip"),
}
MORE = {
    *("bidding", "bidding_distribution", "children_count", "company_vendor", "legal_name"),
    *("parent", "project_ids", "standard_cost_codes", "trades"),
}
UNSEEN = ("ZERO WIDTH SPACE", "NO-BREAK SPACE")
OF_ERP = {"origin_code", "origin_data", "origin_id", "synced_to_erp"}
VIEWS = {
    "compact": {"id", "name"},
    "normal": NORMAL,
    "erp": NORMAL | {"origin_custom_fields", "erp_custom_fields"},
    "extended": NORMAL | MORE,
    "": NORMAL | MORE,
    "directory": (NORMAL | MORE) - OF_ERP
    | {"business", "contract_signer", "country_name", "state_name", "invoice_contacts"},
    "summary": {
        "id",
        "name",
        "active_users_count",
        "bids_count",
        "open_bids_count",
        "projects_count",
        "business_id",
        "company_vendor",
        "is_connected",
        "synced_to_erp",
    },
}


@pytest.fixture
def firm(account) -> Company:
    return CompanyFactory.create(account=account, name="Blue Heron Concrete", city="Salem")


def write(api, **vendor):
    return api.post("vendors", {"company_id": api.company, "vendor": vendor})


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_answers_exactly_its_fields(api, firm, view):
    listed = api.get(f"vendors?view={view}").json()
    assert set(listed[0]) == VIEWS[view]
    assert api.get(f"vendors/{firm.pk}?view={view}").json() == listed[0]


def test_an_unknown_view_names_the_known_ones(api, firm):
    response = api.get("vendors?view=all")
    assert response.status_code == 400
    assert "compact" in response.json()["message"]


def test_the_kinds_of_values_are_those_that_generated_clients_enforce(api, firm):
    vendor = api.get(f"vendors/{firm.pk}").json()
    assert isinstance(vendor["id"], int)
    flags = ("is_active", "prequalified", "synced_to_erp", "authorized_bidder", "company_vendor")
    assert all(isinstance(vendor[name], bool) for name in flags)
    assert vendor["bidding"]["small_business"] is False
    assert len(vendor["bidding"]) == 13
    assert vendor["zip"] is None
    assert vendor["created_at"].endswith("Z")


def test_a_missing_company_is_named(api):
    api.company = None
    response = api.get("vendors")
    assert response.status_code == 400
    assert response.json()["message"].startswith("Missing Procore-Company-Id header!")


def test_the_company_may_come_by_query_or_body(api, account, firm):
    api.company = None
    assert len(api.get(f"vendors?company_id={account.pk}").json()) == 1
    made = api.post("vendors", {"company_id": account.pk, "vendor": {"name": "Bay Glass"}})
    assert made.status_code == 201


def test_pages_carry_their_headers_and_links(api, account):
    for number in range(5):
        CompanyFactory.create(account=account, name=f"Firm {number}")
    response = api.get("vendors?per_page=2&page=2&view=compact&filters[search]=Firm,%20x")
    assert response.json() == []
    response = api.get("vendors?per_page=2&page=2&view=compact&sort=name")
    assert [vendor["name"] for vendor in response.json()] == ["Firm 2", "Firm 3"]
    assert (response["Total"], response["Per-Page"]) == ("5", "2")
    base = "http://testserver/rest/v1.0/vendors?view=compact&sort=name"
    assert response["Link"].split(", ") == [
        f'<{base}&page=1&per_page=2>; rel="first"',
        f'<{base}&page=1&per_page=2>; rel="prev"',
        f'<{base}&page=3&per_page=2>; rel="last"',
        f'<{base}&page=3&per_page=2>; rel="next"',
    ]


def test_commas_and_brackets_are_encoded_in_links(api, account):
    for _ in range(3):
        CompanyFactory.create(account=account)
    pks = ",".join(str(pk) for pk in Company.objects.values_list("pk", flat=True))
    link = api.get(f"vendors?filters[id][]={pks}&per_page=1")["Link"]
    assert all("," not in part for part in link.split(", "))
    assert "filters%5Bid%5D%5B%5D=" in link


def test_a_page_past_the_end_is_empty_with_headers(api, firm):
    response = api.get("vendors?page=9000000000000000000")
    assert (response.status_code, response.json(), response["Total"]) == (200, [], "1")


def test_following_the_links_finds_every_vendor_once(api, account):
    made = [CompanyFactory.create(account=account, name="Same").pk for _ in range(7)]
    ids, path = [], "vendors?per_page=3&sort=name&view=compact"
    while path:
        response = api.get(path)
        ids += [vendor["id"] for vendor in response.json()]
        links = response["Link"].split(", ")
        path = next((link[1 : link.index(">")] for link in links if 'rel="next"' in link), "")
        path = path.removeprefix("http://testserver")
    assert ids == made


def test_more_than_the_largest_page_is_capped(api, firm, settings):
    settings.ERPBRIDGE_REST_MOST_PER_PAGE = 100
    assert api.get("vendors?per_page=100000")["Per-Page"] == "100"


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=-1", "sort=shoe", "page=1.5"])
def test_a_page_or_sort_that_cannot_be_is_400(api, query):
    response = api.get(f"vendors?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["errors"]


def test_the_default_order_is_by_id_and_a_minus_turns_a_sort(api, account):
    for name in ("b", "c", "a"):
        CompanyFactory.create(account=account, name=name)
    names = [vendor["name"] for vendor in api.get("vendors?view=compact").json()]
    turned = [vendor["name"] for vendor in api.get("vendors?view=compact&sort=-name,id").json()]
    assert (names, turned) == (["b", "c", "a"], ["c", "b", "a"])


@pytest.mark.parametrize(
    "query",
    [
        "filters[id]={0}",
        "filters[id][]={0}&filters[id][]={1}",
        "filters[id]=[{0},{1}]",
        "filters[id][]={0},{1}",
        "filters%5Bid%5D%5B%5D={0}",
        "filter[id]={0}",
    ],
)
def test_filters_come_in_four_spellings(api, account, query):
    made = [CompanyFactory.create(account=account).pk for _ in range(3)]
    query = query.format(made[0], made[1])
    expected = made[:2] if str(made[1]) in query else made[:1]
    assert [vendor["id"] for vendor in api.get(f"vendors?view=compact&{query}").json()] == expected


def test_filters_are_anded_and_unknown_ones_ignored(api, account, firm):
    query = f"filters[id]={firm.pk}&filters[search]=heron&filters[shoe]=1&whatever=2"
    assert len(api.get(f"vendors?{query}").json()) == 1
    assert api.get(f"vendors?filters[id]={firm.pk}&filters[search]=glass").json() == []


def test_a_filter_value_that_cannot_be_is_400_and_named(api):
    for query in ("filters[id]=x", "filters[updated_at]=soon"):
        response = api.get(f"vendors?{query}")
        assert response.status_code == 400
        assert query.partition("=")[0] in response.json()["errors"]


def test_search_looks_at_name_keywords_code_and_number(api, account):
    CompanyFactory.create(account=account, name="Alder")
    CompanyFactory.create(account=account, notes="birch")
    CompanyFactory.create(account=account, origin_code="CEDAR-1", origin_id="7")
    CompanyFactory.create(account=account, entity_id="52-1234567", entity_type="ein")
    for word in ("alder", "birch", "cedar", "52-1234567"):
        assert api.get(f"vendors?filters[search]={word}")["Total"] == "1"


def test_ranges_take_moments_days_and_quotes(api, account, firm):
    day = timezone.now().date().isoformat()
    for span in (f"{day}...{day}", f'"{day}T00:00:00Z...{day}T23:59:59Z"', day):
        assert api.get(f"vendors?filters[updated_at]={span}")["Total"] == "1"
    assert api.get("vendors?filters[created_at]=2001-01-01...2001-02-01")["Total"] == "0"


def test_more_filters_of_vendors(api, account, firm):
    trade = TradeFactory.create(account=account)
    parent = CompanyFactory.create(account=account)
    near, code = CostCodeFactory.create_batch(2, list__account=account)
    made = write(
        api,
        name="Branch",
        parent_id=parent.pk,
        trade_ids=[trade.pk],
        standard_cost_code_ids=[near.pk, code.pk],
        origin_id="V-9",
    ).json()
    for query in (
        f"trade_id][]={trade.pk}",
        f"parent_id][]={parent.pk}",
        f"standard_cost_code_id][]={code.pk}",
        "origin_id]=V-9",
    ):
        matches = api.get(f"vendors?view=compact&filters[{query}").json()
        assert [match["id"] for match in matches] == [made["id"]], query
    assert api.get(f"vendors?filters[standard_cost_code_id][]={code.pk}0").json() == []


def test_creating_takes_every_field_and_answers_the_whole_vendor(api, account):
    trade = TradeFactory.create(account=account, name="Masonry")
    parent = CompanyFactory.create(account=account, name="Head Office")
    codes = [code.pk for code in CostCodeFactory.create_batch(2, list__account=account)]
    given = {
        "name": "Blue Heron Concrete",
        "abbreviated_name": "BHC",
        "address": "1 Quay Street",
        "city": "Baltimore",
        "zip": 21201,
        "state_code": "MD",
        "country_code": "US",
        "business_phone": "410 555 0100",
        "mobile_phone": "410 555 0101",
        "fax_number": "410 555 0102",
        "email_address": "office@heron.example",
        "website": "heron.example",
        "authorized_bidder": True,
        "prequalified": True,
        "labor_union": "Local 1",
        "union_member": True,
        "non_union_prevailing_wage": True,
        "license_number": "L-1",
        "notes": "piles, slabs",
        "trade_name": "Heron",
        "parent_id": parent.pk,
        "trade_ids": [trade.pk],
        "standard_cost_code_ids": codes,
        "bidding": {"small_business": True},
        "business_register_attributes": {"type": "ein", "identifier": "52-1234567"},
        "something_else": {"ignored": True},
    }
    response = write(api, **given)
    assert response.status_code == 201
    vendor = response.json()
    for name in set(given) & NORMAL - {"zip"}:
        assert vendor[name] == given[name], name
    assert vendor["zip"] == "21201"
    assert vendor["parent"] == {"id": parent.pk, "name": "Head Office"}
    assert [row["name"] for row in vendor["trades"]] == ["Masonry"]
    assert vendor["standard_cost_codes"] == [{"id": pk} for pk in codes]
    assert vendor["bidding"]["small_business"] is True
    assert vendor["business_register"]["identifier"] == "52-1234567"
    events = Event.objects.about(account.pk, "vendor", vendor["id"])
    assert [event.verb for event in events] == ["created"]


@pytest.mark.parametrize(
    "field, value",
    [
        ("name", ""),
        ("name", None),
        ("name", "x" * 256),
        ("name", ["x"]),
        ("name", "a\u202eb"),
        ("name", "a\x00b"),
        ("abbreviated_name", "x" * 11),
        ("email_address", "nobody"),
        ("country_code", "Atlantis"),
        ("state_code", "Nowhere"),
        ("is_active", "perhaps"),
        ("trade_ids", [999999]),
        ("trade_ids", "x"),
        ("parent_id", 999999),
        ("parent_id", "x"),
        ("primary_contact_id", 1),
        ("bidding", []),
        ("business_register_attributes", {"type": "vat", "identifier": "1"}),
        ("origin_id", "x" * 201),
        ("origin_id", "a\nb"),
        ("origin_data", {"a": 1}),
        ("standard_cost_code_ids", [1.5]),
        ("standard_cost_code_ids", [999999]),
    ],
)
def test_what_cannot_be_is_422_and_names_the_field(api, field, value):
    response = write(api, **({"name": "Firm"} | {field: value}))
    assert response.status_code == 422
    body = response.json()
    assert list(body["errors"]) == [field]
    assert body["message"].startswith(field)
    assert body["code"] == 422
    assert not Company.objects.exists()


def test_the_view_for_an_erp_has_its_custom_fields_as_lists(api, firm):
    vendor = api.get(f"vendors/{firm.pk}?view=erp").json()
    assert (vendor["origin_custom_fields"], vendor["erp_custom_fields"]) == ([], [])


def test_a_cost_code_of_another_account_is_refused_like_one_of_nobody(api, other_account):
    code = CostCodeFactory.create(list__account=other_account)
    response = write(api, name="Firm", standard_cost_code_ids=[code.pk])
    assert response.status_code == 422
    problems = response.json()["errors"]["standard_cost_code_ids"]
    assert problems == [f"there is no standard cost code {code.pk}"]


@pytest.mark.parametrize(
    "body", [{}, {"vendor": []}, {"vendor": "x"}, [], "x", 1, b"{", b'{"a": "\\ud800"}', b"NaN"]
)
def test_a_malformed_body_is_400(api, body):
    assert api.post("vendors", body).status_code == 400


def test_a_body_of_another_media_type_is_415(api):
    response = api.client.generic(
        "POST",
        "/rest/v1.0/vendors",
        b"<vendor/>",
        "application/xml",
        headers={"Authorization": f"Bearer {api.token}", "Procore-Company-Id": str(api.company)},
    )
    assert (response.status_code, response.json()["code"]) == (415, 415)


def test_a_form_with_brackets_is_as_good_as_json(api, account):
    response = api.client.generic(
        "POST",
        "/rest/v1.0/vendors",
        f"company_id={account.pk}&vendor[name]=Bay+Glass&vendor[is_active]=true".encode(),
        "application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {api.token}"},
    )
    assert response.status_code == 201
    assert response.json()["name"] == "Bay Glass"


def test_changing_takes_only_what_was_sent(api, firm, account):
    response = api.patch(f"vendors/{firm.pk}", {"vendor": {"zip": "97301"}})
    assert response.status_code == 200
    assert (response.json()["zip"], response.json()["city"]) == ("97301", "Salem")
    firm.refresh_from_db()
    assert firm.revision == 2
    edited = Event.objects.about(account.pk, "vendor", firm.pk).first()
    assert edited.data["changes"] == {"zip": ["", "97301"]}


def test_a_change_that_changes_nothing_leaves_no_trace(api, firm, account):
    api.patch(f"vendors/{firm.pk}", {"vendor": {"city": "Salem", "name": firm.name}})
    firm.refresh_from_db()
    assert firm.revision == 1
    assert not Event.objects.about(account.pk, "vendor", firm.pk).exists()


def test_bidding_flags_are_changed_one_by_one(api, firm):
    api.patch(f"vendors/{firm.pk}", {"vendor": {"bidding": {"small_business": True}}})
    body = {"vendor": {"bidding": {"womens_business": True, "small_business": False}}}
    flags = api.patch(f"vendors/{firm.pk}", body).json()["bidding"]
    assert [name for name in flags if flags[name]] == ["womens_business"]


def test_deactivating_and_reactivating(api, firm):
    body = {"vendor": {"is_active": False}}
    assert api.patch(f"vendors/{firm.pk}", body).json()["is_active"] is False
    assert api.get("vendors").json() == []
    inactive = f"companies/{api.company}/vendors/inactive"
    assert [vendor["id"] for vendor in api.get(inactive).json()] == [firm.pk]
    assert api.patch(f"{inactive}/{firm.pk}", {}).json()["is_active"] is True
    assert api.get(inactive).json() == []
    assert api.patch(f"{inactive}/{firm.pk}", {}).status_code == 404


def test_a_vendor_is_never_deleted(api, firm):
    assert api.delete(f"vendors/{firm.pk}").status_code == 405


def test_a_vendor_that_waits_for_the_erp_is_locked_and_says_so(api, firm, account):
    ItemFactory.create(account=account, record_id=firm.pk)
    Company.objects.filter(pk=firm.pk).update(erp_state="ready")
    response = api.patch(f"vendors/{firm.pk}", {"vendor": {"city": "Bend"}})
    assert response.status_code == 422
    assert "Sent to the ERP by" in response.json()["errors"]["base"][0]
    assert api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "9"}}).status_code == 422
    firm.refresh_from_db()
    assert (firm.city, firm.origin_id) == ("Salem", "")


def test_if_match_refuses_what_was_changed_since(api, firm):
    tag = api.get(f"vendors/{firm.pk}")["ETag"]
    first = api.patch(f"vendors/{firm.pk}", {"vendor": {"city": "Bend"}}, If_Match=tag)
    second = api.patch(f"vendors/{firm.pk}", {"vendor": {"city": "Eugene"}}, If_Match=tag)
    assert (first.status_code, second.status_code) == (200, 412)


def test_a_reader_reads_and_cannot_write(reader, firm):
    assert len(reader.get("vendors").json()) == 1
    refused = write(reader, name="Firm")
    assert refused.status_code == 403
    assert "Create and Edit Companies" in refused.json()["errors"][0]
    assert reader.patch(f"vendors/{firm.pk}", {"vendor": {}}).status_code == 403
    assert reader.patch("vendors/sync", {"updates": []}).status_code == 403


def test_without_a_level_in_the_directory_it_is_403(make_service, firm):
    assert make_service(levels=Levels(admin=Level.ADMIN)).get("vendors").status_code == 403


def test_readers_see_no_inactive_vendors(reader, account):
    inactive = CompanyFactory.create(account=account, is_active=False)
    assert reader.get(f"vendors/{inactive.pk}").status_code == 404
    assert reader.get(f"companies/{account.pk}/vendors/inactive").json() == []


def test_bidders_are_people_of_the_vendor(api, firm, account, ada, sam):
    member = Membership.objects.get(account=account, user=sam)
    firm.people.add(member)
    path = f"vendors/{firm.pk}"
    given = {"vendor": {"bidding_distribution_ids": [sam.pk], "primary_contact_id": sam.pk}}
    vendor = api.patch(path, given).json()
    assert vendor["bidding_distribution"] == [{"id": sam.pk}]
    assert vendor["primary_contact"]["id"] == sam.pk
    event = Event.objects.about(account.pk, "vendor", firm.pk).first()
    assert event.data["changes"]["bid_contacts"] == [[], [sam.name]]
    stranger = {"vendor": {"bidding_distribution_ids": [sam.pk, ada.pk]}}
    assert list(api.patch(path, stranger).json()["errors"]) == ["bidding_distribution_ids"]
    assert list(write(api, name="New", bidding_distribution_ids=[sam.pk]).json()["errors"]) == [
        "bidding_distribution_ids"
    ]
    assert (
        api.patch(path, {"vendor": {"bidding_distribution_ids": []}}).json()["bidding_distribution"]
        == []
    )


def test_a_vendor_group_is_taken_and_not_kept(api, account):
    assert write(api, name="Bay Glass", vendor_group_id=5).json()["vendor_group"] is None


def test_parents_have_two_levels(api, account):
    top = CompanyFactory.create(account=account)
    middle = CompanyFactory.create(account=account, parent=top)
    assert write(api, name="Leaf", parent_id=middle.pk).status_code == 422
    body = {"vendor": {"parent_id": middle.pk}}
    assert api.patch(f"vendors/{top.pk}", body).status_code == 422
    assert api.get(f"vendors/{top.pk}").json()["children_count"] == 1


def test_a_business_register_is_given_once_and_then_changed(api, firm):
    path = f"vendors/{firm.pk}/business_register"
    body = {"business_register": {"type": "abn", "identifier": "51 824 753 556"}}
    made = api.post(path, body)
    assert made.status_code == 201
    assert set(made.json()) == {"id", "type", "identifier", "verified_at", "verification_status"}
    assert api.post(path, body).status_code == 409
    body = {"business_register": {"type": "ein", "identifier": "52-1"}}
    assert api.patch(path, body).json()["type"] == "ein"
    wrong = {"business_register": {"type": "vat", "identifier": "1"}}
    assert api.patch(path, wrong).status_code == 422


# --- origin ids -----------------------------------------------------------------------------


def test_an_origin_id_marks_a_vendor_as_synced_and_clearing_it_undoes_that(api, firm, account):
    body = {"vendor": {"origin_id": "V-1", "origin_code": "C-1", "origin_data": "a=1"}}
    vendor = api.patch(f"vendors/{firm.pk}", body).json()
    assert (vendor["origin_id"], vendor["origin_code"], vendor["origin_data"]) == (
        "V-1",
        "C-1",
        "a=1",
    )
    assert vendor["synced_to_erp"] is True
    vendor = api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": None}}).json()
    assert (vendor["origin_id"], vendor["synced_to_erp"], vendor["origin_code"]) == (
        None,
        False,
        None,
    )
    verbs = [event.verb for event in Event.objects.about(account.pk, "vendor", firm.pk)]
    assert verbs == ["unlink", "link"]


def test_an_origin_id_with_what_cannot_be_seen_is_refused_and_never_points_at_another(api, account):
    company = CompanyFactory.create(account=account, name="Cedar Doors", origin_id="V 1")
    rows = [
        {"name": "Around", "origin_id": "\n V 1\u00a0"},
        {"name": "Hidden", "origin_id": "V\u200b 1"},
        {"name": "No break", "origin_id": "V\u00a01"},
        {"name": "Two blanks", "origin_id": "V  1"},
    ]
    body = api.patch("vendors/sync", {"updates": rows}).json()
    assert [entity["name"] for entity in body["entities"]] == ["Around", "Two blanks"]
    refused = [error["errors"]["origin_id"][0] for error in body["errors"]]
    assert [name in text for name, text in zip(UNSEEN, refused, strict=True)] == [True, True]
    stored = dict(Company.objects.values_list("origin_id", "name"))
    assert stored == {"V 1": "Around", "V  1": "Two blanks"}
    assert Company.objects.get(name="Around") == company


def test_an_origin_id_belongs_to_one_vendor(api, firm, account):
    CompanyFactory.create(account=account, origin_id="V-1")
    response = api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "V-1", "city": "Bend"}})
    assert response.status_code == 422
    assert "already been taken" in response.json()["errors"]["origin_id"][0]
    firm.refresh_from_db()
    assert (firm.origin_id, firm.city) == ("", "Salem")
    assert write(api, name="Other", origin_id="V-1").status_code == 422
    assert not Company.objects.filter(name="Other").exists()


def test_an_origin_id_needs_the_right_to_import(make_service, account, firm):
    editor = make_service("Editor", levels=Levels(Level.ADMIN, Level.ADMIN, Level.ADMIN))
    response = editor.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "V-1"}})
    assert response.status_code == 422
    assert "Can push to accounting" in response.json()["errors"]["origin_id"][0]
    Company.objects.filter(pk=firm.pk).update(origin_id="V-1")
    # Sending back what is there asks for nothing.
    assert editor.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "V-1"}}).status_code == 200


def test_where_an_erp_is_connected_an_origin_id_is_a_link_of_it(api, firm, connected):
    api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "V-1"}})
    link = Link.objects.get(record_id=firm.pk, ended_at=None)
    assert (link.connection, link.erp_id) == (connected, "V-1")
    firm.refresh_from_db()
    assert not firm.drifted
    api.patch(f"vendors/{firm.pk}", {"vendor": {"city": "Bend"}})
    firm.refresh_from_db()
    assert firm.drifted
    api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": "V-2"}})
    api.patch(f"vendors/{firm.pk}", {"vendor": {"origin_id": ""}})
    assert (
        list(Link.objects.filter(record_id=firm.pk, ended_at=None).values_list("erp_id", flat=True))
        == []
    )
    assert Link.objects.filter(record_id=firm.pk).count() == 2


# --- of projects ----------------------------------------------------------------------------


def test_a_project_has_its_own_vendors(api, firm, project):
    path = f"projects/{project.pk}/vendors"
    assert api.get(path).json() == []
    added = api.post(f"{path}/{firm.pk}/actions/add")
    assert (added.status_code, added.json()["project_ids"]) == (201, [project.pk])
    assert [vendor["id"] for vendor in api.get(path).json()] == [firm.pk]
    made = api.post(path, {"vendor": {"name": "Bay Glass"}}).json()
    assert api.get(f"{path}/{made['id']}").status_code == 200
    removed = api.delete(f"{path}/{firm.pk}/actions/remove")
    assert (removed.status_code, removed.content) == (204, b"")
    assert api.get(f"{path}/{firm.pk}").status_code == 404
    assert api.get(f"vendors/{firm.pk}").status_code == 200


@pytest.mark.parametrize("view", ["extended", "ids_only", "list", "name", "minimal", "normal"])
def test_views_of_project_vendors(api, firm, project, ada, view):
    company_services.add_to_project([firm.pk], project=project, by=ada)
    path = f"/rest/v1.1/projects/{project.pk}/vendors"
    assert api.get(f"{path}?view={view}").json()[0]["id"] == firm.pk


def test_a_project_names_its_company_for_clients_that_send_none(api, project):
    api.company = None
    assert api.get(f"projects/{project.pk}/vendors").status_code == 200


def test_a_project_that_is_not_permitted_is_404(make_service, project, account):
    levels = Levels(directory=Level.READ_ONLY)
    blind = make_service("Blind", levels=levels)
    assert blind.get(f"projects/{project.pk}/vendors").status_code == 404


def test_inactive_vendors_of_a_project(api, firm, project, ada):
    company_services.add_to_project([firm.pk], project=project, by=ada)
    api.patch(f"projects/{project.pk}/vendors/{firm.pk}", {"vendor": {"is_active": False}})
    path = f"projects/{project.pk}/vendors/inactive"
    assert [vendor["id"] for vendor in api.get(path).json()] == [firm.pk]
    assert api.patch(f"{path}/{firm.pk}", {}).json()["is_active"] is True


# --- sync -----------------------------------------------------------------------------------


def sync(api, *updates):
    return api.patch("vendors/sync", {"company_id": api.company, "updates": list(updates)})


def test_sync_finds_by_id_else_by_origin_id_else_creates(api, account, firm):
    known = CompanyFactory.create(account=account, name="Old", origin_id="V-1")
    response = sync(
        api,
        {"id": firm.pk, "city": "Bend"},
        {"origin_id": "V-1", "name": "New"},
        {"origin_id": "V-2", "name": "Second"},
        {"name": "Third"},
        {"id": 999999, "name": "Nobody"},
        {"name": ""},
    )
    assert response.status_code == 200
    body = response.json()
    assert [entity["name"] for entity in body["entities"]] == [firm.name, "New", "Second", "Third"]
    assert body["entities"][1]["id"] == known.pk
    assert body["entities"][2]["origin_id"] == "V-2"
    assert body["entities"][3]["origin_id"] is None
    assert body["errors"][0] == {
        "id": 999999,
        "name": "Nobody",
        "errors": {"id": ["Entity with this ID not found"]},
    }
    assert list(body["errors"][1]["errors"]) == ["name"]


def test_with_both_ids_the_id_finds_and_the_origin_id_changes(api, account, firm):
    body = sync(api, {"id": firm.pk, "origin_id": "V-7"}).json()
    assert (body["entities"][0]["origin_id"], body["errors"]) == ("V-7", [])


def test_the_same_origin_id_twice_is_handled_in_order(api):
    body = sync(api, {"origin_id": "V", "name": "First"}, {"origin_id": "V", "name": "Last"}).json()
    assert [entity["name"] for entity in body["entities"]] == ["Last", "Last"]
    assert Company.objects.get().name == "Last"


def test_sync_always_answers_both_lists(api):
    assert sync(api).json() == {"entities": [], "errors": []}


def test_more_than_a_thousand_rows_are_413(api):
    response = sync(api, *({"name": "x"} for _ in range(1001)))
    assert response.status_code == 413
    assert not Company.objects.exists()


@pytest.mark.parametrize("updates", [None, {}, "x", [1], [[]]])
def test_updates_must_be_a_list_of_objects(api, updates):
    response = api.patch("vendors/sync", {"updates": updates})
    assert response.status_code == 400


def test_a_locked_row_does_not_stop_the_others(api, account, firm):
    other = CompanyFactory.create(account=account)
    ItemFactory.create(account=account, record_id=firm.pk)
    Company.objects.filter(pk=firm.pk).update(erp_state="ready")
    body = sync(api, {"id": firm.pk, "city": "Bend"}, {"id": other.pk, "city": "Bend"}).json()
    assert [entity["id"] for entity in body["entities"]] == [other.pk]
    assert "Sent to the ERP" in body["errors"][0]["errors"]["base"][0]


def test_a_vendor_of_another_account_is_not_found(api, stranger, other_account):
    theirs = CompanyFactory.create(account=other_account, origin_id="V-1")
    body = sync(api, {"id": theirs.pk, "name": "Mine"}, {"origin_id": "V-1", "name": "Own"}).json()
    assert len(body["errors"]) == 1
    assert body["entities"][0]["id"] != theirs.pk


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_500_rows_take_few_statements(api, account, known, django_assert_max_num_queries):
    rows = [{"origin_id": f"V-{n}", "name": f"Firm {n}", "city": "Salem"} for n in range(500)]
    if known:
        sync(api, *rows)
        rows = [row | {"city": "Bend"} for row in rows]
    with django_assert_max_num_queries(80):
        body = sync(api, *rows).json()
    assert len(body["entities"]) == 500


def test_a_list_takes_as_many_statements_for_many_vendors_as_for_one(
    api, account, project, ada, django_assert_num_queries
):
    trade = TradeFactory.create(account=account)
    for number in range(30):
        parent = CompanyFactory.create(account=account)
        firm = CompanyFactory.create(account=account, parent=parent, name=f"Firm {number}")
        firm.trades.add(trade)
        company_services.add_to_project([firm.pk], project=project, by=ada)
    # Three for the token and the rights, one for the ids, six for the rows.
    with django_assert_num_queries(10):
        assert len(api.get("vendors").json()) == 60
    # Only a page that does not show the whole list has it counted.
    with django_assert_num_queries(11):
        response = api.get("vendors?per_page=1")
    assert (len(response.json()), response["Total"]) == (1, "60")


# --- required fields --------------------------------------------------------------------------


@pytest.fixture
def required_fields(account, ada):
    """The account requires city, trades and a business register."""
    company_fields_required_fields.configure(
        ["city", "trades", "entity_id"], by=policy.load(ada, account)
    )


ASKED = "run_configurable_validations=true"


def test_required_fields_are_checked_where_the_call_asks(api, account, required_fields):
    refused = api.post(f"vendors?{ASKED}", {"vendor": {"name": "Bay Glass", "city": " "}})
    assert refused.status_code == 422
    errors = {
        name: [company_fields_required_fields.BLANK]
        for name in ("business_register_attributes", "city", "trade_ids")
    }
    assert refused.json()["errors"] == errors
    assert not Company.objects.exists()
    for query in ("", "?run_configurable_validations=false"):
        body = {"vendor": {"name": "Bay Glass"}}
        assert api.post(f"vendors{query}", body).status_code == 201
    trade = TradeFactory.create(account=account)
    whole = {
        "name": "Bay Glass",
        "city": "Salem",
        "trade_ids": [trade.pk],
        "business_register_attributes": {"type": "ein", "identifier": "12-3456789"},
    }
    body = {"vendor": whole, "run_configurable_validations": True}
    made = api.post("vendors", body)
    assert made.status_code == 201
    path = f"vendors/{made.json()['id']}?{ASKED}"
    assert api.patch(path, {"vendor": {"notes": "x"}}).status_code == 200
    assert list(api.patch(path, {"vendor": {"trade_ids": []}}).json()["errors"]) == ["trade_ids"]


def test_required_fields_of_project_vendors_and_of_a_sync(api, firm, project, required_fields):
    body = {"vendor": {"name": "Bay Glass"}}
    assert api.post(f"projects/{project.pk}/vendors?{ASKED}", body).status_code == 422
    rows = [{"id": firm.pk, "notes": "x"}, {"name": ""}]
    answer = api.patch(f"vendors/sync?{ASKED}", {"updates": rows}).json()
    assert [sorted(error["errors"]) for error in answer["errors"]] == [
        ["business_register_attributes", "trade_ids"],
        ["business_register_attributes", "city", "name", "trade_ids"],
    ]


def test_reactivating_asks_for_no_fields(api, firm, required_fields):
    api.patch(f"vendors/{firm.pk}", {"vendor": {"is_active": False}})
    path = f"companies/{api.company}/vendors/inactive/{firm.pk}?{ASKED}"
    assert api.patch(path).json()["is_active"] is True


def test_a_check_that_is_neither_on_nor_off_is_400(api):
    response = api.post("vendors?run_configurable_validations=perhaps", {"vendor": {"name": "x"}})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["run_configurable_validations"]

"""Routes of the Directory's resources."""

from __future__ import annotations

from django.urls import URLPattern

from directory.api import insurances, registers, trades, vendors
from erpbridge.rest.urls import READ_ONLY, rest

V1, BOTH = ["v1.0"], ["v1.0", "v1.1"]
ACCOUNT = "companies/<int:company_id>"
INSURANCES = f"{ACCOUNT}/vendors/<int:vendor_id>/insurances"
PROJECT = "projects/<int:project_id>/vendors"

app_name = "directory_api"
urlpatterns: list[URLPattern] = [
    *rest(V1, "vendors", vendors.Vendors.as_view(), name="vendors"),
    *rest(V1, "vendors/sync", vendors.SyncVendors.as_view(), name="vendors_sync"),
    *rest(V1, "vendors/<int:pk>", vendors.OneVendor.as_view(), name="vendor"),
    *rest(
        V1,
        "vendors/<int:pk>/business_register",
        registers.BusinessRegister.as_view(),
        name="business_register",
    ),
    *rest(V1, f"{ACCOUNT}/vendors/inactive", vendors.InactiveVendors.as_view(), name="inactive"),
    *rest(
        V1,
        f"{ACCOUNT}/vendors/inactive/<int:pk>",
        vendors.OneInactiveVendor.as_view(),
        name="one_inactive",
    ),
    *rest(BOTH, PROJECT, vendors.Vendors.as_view(), name="project_vendors"),
    *rest(BOTH, f"{PROJECT}/inactive", vendors.InactiveVendors.as_view(), name="project_inactive"),
    *rest(
        BOTH,
        f"{PROJECT}/inactive/<int:pk>",
        vendors.OneInactiveVendor.as_view(),
        name="project_one_inactive",
    ),
    *rest(BOTH, f"{PROJECT}/<int:pk>", vendors.OneVendor.as_view(), name="project_vendor"),
    *rest(BOTH, f"{PROJECT}/<int:pk>/actions/add", vendors.AddVendor.as_view(), name="vendor_add"),
    *rest(
        BOTH,
        f"{PROJECT}/<int:pk>/actions/remove",
        vendors.RemoveVendor.as_view(),
        name="vendor_remove",
    ),
    *rest(V1, f"{ACCOUNT}/trades", trades.Trades.as_view(), name="trades"),
    *rest(V1, f"{ACCOUNT}/trades/<int:pk>", trades.OneTrade.as_view(), name="trade"),
    *rest(V1, "departments", trades.Departments.as_view(), name="departments"),
    *rest(V1, "departments/<int:pk>", trades.OneDepartment.as_view(), name="department"),
    # The pyprocore client uses these addresses; Procore itself does not have them.
    *rest(
        V1,
        f"{ACCOUNT}/departments",
        trades.Departments.as_view(http_method_names=READ_ONLY),
        name="departments_alias",
    ),
    *rest(
        V1,
        f"{ACCOUNT}/departments/<int:pk>",
        trades.OneDepartment.as_view(http_method_names=READ_ONLY),
        name="department_alias",
    ),
    *rest(V1, INSURANCES, insurances.Insurances.as_view(), name="insurances"),
    *rest(V1, f"{INSURANCES}/sync", insurances.SyncInsurances.as_view(), name="insurances_sync"),
    *rest(V1, f"{INSURANCES}/<int:pk>", insurances.OneInsurance.as_view(), name="insurance"),
]

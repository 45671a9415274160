"""Routes of Send to ERP and Retrieve for cost codes."""

from __future__ import annotations

from django.urls import URLPattern

from admin_wbs.api.cost_codes import erp_actions
from erpbridge.rest.urls import rest

V1 = ["v1.0"]
CODE = "companies/<int:company_id>/standard_cost_codes/<int:pk>/actions/"
LIST = "companies/<int:company_id>/standard_cost_code_lists/<int:pk>/actions/"

app_name = "code_clicks_api"
urlpatterns: list[URLPattern] = [
    *rest(V1, f"{CODE}send_to_erp", erp_actions.SendCode.as_view(), name="send"),
    *rest(V1, f"{CODE}retrieve_from_erp", erp_actions.RetrieveCode.as_view(), name="retrieve"),
    *rest(V1, f"{LIST}send_to_erp", erp_actions.SendList.as_view(), name="send_list"),
    *rest(V1, f"{LIST}retrieve_from_erp", erp_actions.RetrieveList.as_view(), name="retrieve_list"),
]

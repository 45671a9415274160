"""The registration of a vendor in a business register."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from rest_framework.request import Request

from directory.api.vendor_schemas import Register
from directory.api.vendor_serializer import register_of
from directory.api.vendor_writes import register
from directory.api.vendors import VendorView
from directory.models import Company
from erpbridge.rest.errors import ApiError, Invalid
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers, takes


class BusinessRegister(VendorView):
    """The business register entry of a vendor. POST creates it, PATCH changes it."""

    def current(self) -> JsonAnswer:
        """The entry as POST and PATCH return it; there is no GET."""
        vendor = self.record(self.kwargs["pk"])
        return JsonAnswer(register_of(vendor.entity_id, vendor.entity_type, vendor.pk))

    @takes(dict(register.schema), wrapped="business_register", required=["type", "identifier"])
    @answers(Register, 201, tagged=True)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Create the business register entry; 409 if the vendor has one."""
        vendor = self.record(pk)
        # docs/design/procore-rest-resources.md, "Vendors". The account is locked by then, so of two
        # calls at once the second finds the entry of the first.
        if vendor.entity_id:
            raise ApiError(409, "This vendor has a business register; change it by PATCH.")
        return self._store(vendor, 201)

    @takes(dict(register.schema), wrapped="business_register")
    @answers(Register, tagged=True)
    def patch(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Change the type or number of the business register entry."""
        return self._store(self.record(pk), 200)

    def _store(self, vendor: Company, status: int) -> JsonAnswer:
        fields = self.wrapped("business_register")
        # A PATCH may hold one of the two; they are valid only together.
        attributes = {"type": vendor.entity_type, "identifier": vendor.entity_id, **fields}
        # Checked before the write, which would name the field as the body of a vendor does.
        try:
            kind, number = register(attributes)
        except ValidationError as error:
            raise Invalid({"business_register": list(error.messages)}) from None
        self.write({"business_register_attributes": attributes}, vendor.pk)
        return JsonAnswer(register_of(number, kind, vendor.pk), status)

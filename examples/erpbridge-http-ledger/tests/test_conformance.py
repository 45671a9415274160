"""The conformance kit of erpbridge, run on the HTTP ledger."""

from erp_integrations.adapters.conformance import AdapterConformance

from harness import HttpHarness


class TestHttpLedger(AdapterConformance):
    def make_harness(self, folder):
        return HttpHarness(folder)

"""A simulator that requires a login, and repeats its secret wherever it can."""

from __future__ import annotations

import base64
from dataclasses import replace

from erp_integrations.adapters.base import (
    AdapterError,
    Effect,
    ErpError,
    ErrorClass,
    Health,
    Outcome,
    Setting,
    WireField,
)
from erp_integrations.adapters.simulator import SimulatorAdapter

SECRET = 'hush & "hush" ünd 7/7'
SETTINGS = (
    Setting("api_key", "API key", kind="secret", help="From the ERP's <own> page."),
    Setting("password", "Password", kind="secret"),
)


class SecretiveAdapter(SimulatorAdapter):
    """Healthy with the right key; ``talk`` is the call that reveals the key."""

    talk = ""

    @classmethod
    def manifest(cls, config):
        plain = super().manifest(config)
        return replace(plain, settings=plain.settings + SETTINGS)

    @property
    def _said(self) -> str:
        key = self.secrets.get("api_key", "")
        coded = base64.b64encode(f"me:{key}".encode()).decode()
        return f"refused key {key} ({key!r}), Authorization: Basic {coded}"

    def check(self):
        self.io.logger.warning("logging in with %s", self._said)
        if self.talk == "check":
            return Health((self._said,), {"Key": self.secrets["api_key"]})
        if self.secrets.get("api_key") != SECRET:
            return Health(("The key is wrong.",))
        return super().check()

    def find_many(self, entity, keys):
        if self.talk == "find":
            raise AdapterError(ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, self._said))
        if self.talk == "find raises":
            raise RuntimeError(self._said)
        return super().find_many(entity, keys)

    def preview(self, command):
        wire = super().preview(command)
        if self.talk != "preview":
            return wire
        login = WireField("Login", self.secrets.get("api_key", ""))
        return replace(wire, fields=(*wire.fields, login), text=f"{self._said}\n{wire.text}")

    def submit(self, commands):
        if self.talk == "fail":
            error = ErpError(ErrorClass.INVALID, Effect.NOT_APPLIED, self._said, advice=self._said)
            return [Outcome(error=error, answer=self._said)] * len(commands)
        if self.talk == "submit raises":
            raise RuntimeError(self._said)
        return [replace(outcome, answer=self._said) for outcome in super().submit(commands)]

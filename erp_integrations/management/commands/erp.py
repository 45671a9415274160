"""``manage.py erp``: actions of the ERP Integrations tool for operators, by the same rules."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.querysets import capped, tab_counts
from erp_integrations.models.states import ItemTab
from erp_integrations.workflow.accept import manual_resolution
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.bulk_requests import Refusal
from erp_integrations.workflow.refusals import NotTaken
from erpbridge.access import policy
from erpbridge.access.models import Account, User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.text import login_email
from erpbridge.refusals import Refused

# The arguments of the command line.
Options = Mapping[str, Any]


class Command(BaseCommand):
    """Connections: status, test, refresh, pause, resume. Items: withdraw, retry, reject, answer."""

    help = (
        "Shows and controls the ERP connections and items of an account. Whoever is named by --by "
        "needs the same rights as on the pages, and is the one the audit trail names."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one subcommand per action."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        self._verb(
            verbs,
            "status",
            "items that wait, are being exported or failed, per connection",
            who=False,
        )
        for verb, text in (
            ("test", "test the connection to the ERP"),
            ("refresh", "fetch the ERP's lists and records"),
            ("resume", "resume after a pause"),
        ):
            self._verb(verbs, verb, text).add_argument("connection", type=int)
        pause = self._verb(verbs, "pause", "stop sending items to the ERP")
        pause.add_argument("connection", type=int)
        pause.add_argument("--why", required=True)
        for verb, text in (
            ("withdraw", "withdraw an accepted item before it is sent"),
            ("reject", "return an item to its sender"),
        ):
            subparser = self._verb(verbs, verb, text)
            subparser.add_argument(
                "item", type=UUID, help="the item's id, as in its page's address"
            )
            subparser.add_argument("--why", required=True)
        self._verb(verbs, "retry", "export a failed item again").add_argument("item", type=UUID)
        answer = self._verb(verbs, "answer", "answer whether the ERP has the record")
        answer.add_argument("item", type=UUID)
        answer.add_argument("--there", metavar="KEY", help="it is in the ERP, under this key")
        answer.add_argument(
            "--absent", action="store_true", help="it is not in the ERP: send it again"
        )
        answer.add_argument("--why", required=True)

    def _verb(self, verbs: Any, name: str, text: str, *, who: bool = True) -> ArgumentParser:
        parser: ArgumentParser = verbs.add_parser(name, help=text)
        parser.add_argument("--account", type=int, required=True)
        if who:
            parser.add_argument("--by", metavar="EMAIL", required=True)
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the action.

        :raises CommandError: if the pages would refuse it, with the same message.
        """
        account = Account.objects.filter(pk=options["account"]).first()
        if account is None:
            raise CommandError(f"--account: there is no account {options['account']}.")
        # It shows counts only, so nobody has to be named who may see them.
        if options["verb"] == "status":
            self._status(account)
            return
        access = _access(account, options["by"])
        act = _ON_CONNECTION.get(options["verb"])
        try:
            message = (
                act(_connection(access, options["connection"]), access, options)
                if act
                else _ON_ITEM[options["verb"]](_item(access, options["item"]), access, options)
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(message)

    def _status(self, account: Account) -> None:
        for connection in Connection.objects.filter(account=account).order_by("pk"):
            paused = f" PAUSED: {connection.pause_reason}" if connection.paused_at else ""
            self.stdout.write(f"{connection.pk} {connection.name} ({connection.adapter}){paused}")
            links = Link.objects.filter(connection=connection)
            counts = tab_counts(Item.objects.filter(account=account, connection=connection), links)
            for tab in ItemTab:
                self.stdout.write(f"    {tab.label:<22} {capped(counts[tab])}")


def _access(account: Account, email: str) -> Access:
    user = User.objects.filter(email=login_email(email)).first()
    access = policy.load(user, account) if user else None
    if access is None:
        raise CommandError(f"--by: {email} is not an active member of {account}.")
    return access


def _connection(access: Access, pk: int) -> Connection:
    _require(access, Permission.CONNECTION_CONFIGURE)
    connection = Connection.objects.filter(account=access.account, pk=pk).first()
    if connection is None:
        raise CommandError(f"{access.account} has no connection {pk}.")
    return connection


def _item(access: Access, public_id: UUID) -> Item:
    items = Item.objects.filter(account=access.account, public_id=public_id)
    item = items.select_related("connection", "decided_by").first()
    if item is None:
        raise CommandError(f"{access.account} has no item {public_id}.")
    _require(access, Permission.ITEMS_ACCEPT, item.entity)
    return item


def _require(access: Access, action: Permission, entity: str = "") -> None:
    answer = access.can(action, entity)
    if not answer:
        raise CommandError(answer.why)


def _test(connection: Connection, access: Access, _options: Options) -> str:
    if not connection_services.test(connection, by=access.user):
        raise CommandError(" ".join(connection.test_result["problems"]))
    return f"{connection.name} works."


def _refresh(connection: Connection, access: Access, _options: Options) -> str:
    if not connection_services.refresh(connection, by=access.user):
        raise CommandError(connection.refresh_problem)
    return f"The data of {connection.name} is up to date."


def _pause(connection: Connection, access: Access, options: Options) -> str:
    connection_services.pause(connection, by=access.user, reason=options["why"])
    return f"{connection.name} is paused. Accepted items wait until it is resumed."


def _resume(connection: Connection, access: Access, _options: Options) -> str:
    connection_services.resume(connection, by=access.user)
    return f"{connection.name} resumed."


def _withdraw(item: Item, access: Access, options: Options) -> str:
    accept_services.withdraw(item, reason=options["why"], by=access.user)
    return _done(item, "withdrawn")


def _reject(item: Item, access: Access, options: Options) -> str:
    items = Item.objects.filter(pk=item.pk)
    done = accept_services.reject(items, entity=item.entity, reason=options["why"], access=access)
    _check(done.refused)
    return _done(item, "rejected")


def _retry(item: Item, access: Access, _options: Options) -> str:
    done = accept_services.retry(
        [Decision(item.pk, item.digest)], entity=item.entity, access=access
    )
    _check(done.refused)
    return _done(item, "queued again")


def _answer(item: Item, access: Access, options: Options) -> str:
    if bool(options["there"]) == options["absent"]:
        raise CommandError("Give either --there KEY or --absent.")
    if options["absent"]:
        manual_resolution.it_is_not_there(item, by=access.user, why=options["why"])
        return _done(item, "queued again")
    key, reason = options["there"], options["why"]
    manual_resolution.look_up_and_link(item, key=key, by=access.user, why=reason)
    return _done(item, "linked")


def _check(refused: Sequence[Refusal]) -> None:
    """:raises NotTaken: with everything that stands against the item."""
    if refused:
        raise NotTaken(problem for row in refused for problem in row.problems)


def _done(item: Item, word: str) -> str:
    return f"{item.label} is {word}."


_ON_CONNECTION: dict[str, Callable[[Connection, Access, Options], str]] = {
    "test": _test,
    "refresh": _refresh,
    "pause": _pause,
    "resume": _resume,
}
_ON_ITEM: dict[str, Callable[[Item, Access, Options], str]] = {
    "withdraw": _withdraw,
    "reject": _reject,
    "retry": _retry,
    "answer": _answer,
}

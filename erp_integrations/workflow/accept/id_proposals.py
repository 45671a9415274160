"""Proposals for ERP IDs: letters of the record's name and the first free number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from anyascii import anyascii
from django.db.models import Q

from erp_integrations.adapters.base import EntityManifest, RuleKind
from erp_integrations.models import Connection, ErpRecord, Item, Link
from erp_integrations.models.states import IN_AIR
from erpbridge.db.batches import chunks
from erpbridge.db.text import key

# Digits of the number, at least.
DIGITS = 3


def mnemonic(label: str, *, most: int) -> str:
    """Return the first letters and digits of a name in ASCII capitals.

    :param most: characters of the whole ID; room for the number is left.
    """
    # "V" for a name without a letter or digit that ASCII can express.
    return re.sub(r"[^A-Z0-9]", "", anyascii(label).upper())[: max(most - DIGITS, 1)] or "V"


def held_codes(connection: Connection, entity: str, prefixes: Iterable[str]) -> set[str]:
    """Return the folded codes that start with a prefix and are linked, in export or in the ERP."""
    codes: set[str] = set()
    stems = sorted(set(prefixes))
    # Each prefix is one condition of an OR, so a statement gets a limited number of them.
    for chunk in chunks(stems, 50):
        codes.update(_codes_in_use(connection, entity, chunk))
    return codes


def _codes_in_use(connection: Connection, entity: str, prefixes: Sequence[str]) -> Iterable[str]:
    starts, key_starts = Q(), Q()
    for prefix in prefixes:
        starts |= Q(erp_code_folded__startswith=key(prefix))
        key_starts |= Q(erp_key_folded__startswith=key(prefix))
    of_entity = {"connection": connection, "entity": entity}
    links = Link.objects.filter(starts, **of_entity, ended_at=None)
    erp_records = ErpRecord.objects.filter(starts, **of_entity)
    exporting = Item.objects.filter(key_starts, **of_entity, state__in=sorted(IN_AIR))
    yield from links.values_list("erp_code_folded", flat=True)
    yield from erp_records.values_list("erp_code_folded", flat=True)
    yield from exporting.values_list("erp_key_folded", flat=True)


def propose(connection: Connection, manifest: EntityManifest, items: Sequence[Item]) -> None:
    """Set a proposal in ``item.acceptance`` for every field with a proposal rule. Saves nothing.

    A value that was chosen before stays, unless it is taken by now. Within one call every proposal
    is different.
    """
    for field in manifest.acceptance_fields:
        if field.proposal != "mnemonic":
            continue
        lengths = (rule.limit for rule in field.rules if rule.kind == RuleKind.MAX_LENGTH)
        # 10 characters, if the ERP declares no limit.
        most = next(lengths, 10)
        stems = {item.pk: mnemonic(item.label, most=most) for item in items}
        chosen_ids = {item.pk: str(item.acceptance.get(field.name) or "").upper() for item in items}
        prefixes = {*stems.values(), *chosen_ids.values()} - {""}
        taken_ids = held_codes(connection, manifest.entity, prefixes)
        for item in items:
            # Proposals reserve nothing: another item may have been accepted with this value
            # meanwhile.
            if chosen_ids[item.pk] and key(chosen_ids[item.pk]) not in taken_ids:
                taken_ids.add(key(chosen_ids[item.pk]))
                continue
            code = _free(stems[item.pk], taken_ids, most)
            taken_ids.add(key(code))
            item.acceptance = {**item.acceptance, field.name: code}


def _free(stem: str, taken_ids: set[str], most: int) -> str:
    """``stem`` with the first free number; long numbers shorten the stem."""
    number = 1
    while True:
        digits = f"{number:0{DIGITS}d}"
        code = f"{stem[: most - len(digits)]}{digits}"
        if key(code) not in taken_ids:
            return code
        number += 1

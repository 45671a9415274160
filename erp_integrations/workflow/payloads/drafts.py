"""Drafts: records with the payload that would be exported.

Items, previews and drift all get their payload here, so that they agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from erp_integrations.adapters.base import CodeFormat, EntityManifest, Problem
from erp_integrations.models.record_types import Draft, RecordType
from erp_integrations.workflow.payloads import code_format, erp_keys, field_rules
from erpbridge.db.batches import chunks


def drafts(
    kind: RecordType, account_id: int, ids: Sequence[int], manifest: EntityManifest | None
) -> list[Draft]:
    """Return drafts of the records in the ERP's format; unchanged without a manifest."""
    form = manifest.code_format if manifest else None
    unformatted = (draft for chunk in chunks(ids) for draft in kind.drafts(account_id, chunk))
    return [_formed(draft, form) if form else draft for draft in unformatted]


def problems(manifest: EntityManifest, draft: Draft) -> list[Problem]:
    """Return all rules of the manifest that a draft breaks, including the format of its code."""
    broken_rules = field_rules.problems(manifest, draft.payload)
    if manifest.code_format:
        broken_rules += code_format.problems(_path(draft), manifest.code_format)
    return broken_rules


def clashes(
    manifest: EntityManifest | None, compared_drafts: Iterable[Draft]
) -> dict[int, Problem]:
    """Return record id -> problem, for drafts that would have the same code in the ERP.

    Different codes can become equal in the ERP's format, for example without leading zeros.
    """
    # Without a format, codes are sent as they are here.
    if manifest is None or manifest.code_format is None:
        return {}
    by_code: defaultdict[str, list[Draft]] = defaultdict(list)
    for draft in compared_drafts:
        code = str(draft.payload.get(code_format.FIELD, ""))
        by_code[erp_keys.compared(manifest, code)].append(draft)
    return {
        draft.record_id: _clash(draft, alike)
        for alike in by_code.values()
        if len(alike) > 1
        for draft in alike
    }


def _formed(draft: Draft, form: CodeFormat) -> Draft:
    path = _path(draft)
    # Records that are not part of a tree have no path.
    if not path:
        return draft
    code = code_format.full_code(path, form)
    return replace(draft, payload={**draft.payload, code_format.FIELD: code})


def _path(draft: Draft) -> Sequence[str]:
    path = draft.payload.get("path")
    return tuple(path) if isinstance(path, list | tuple) else ()


def _clash(draft: Draft, alike: Sequence[Draft]) -> Problem:
    code = str(draft.payload.get(code_format.FIELD, ""))
    other = alike[0] if alike[0].record_id != draft.record_id else alike[1]
    more = f" and {len(alike) - 2} more" if len(alike) > 2 else ""
    message = f"In the ERP it would be {code}, and so would {other.label}{more}."
    return Problem(code_format.FIELD, "same_code", message, code)

"""Store an upload between the upload page and its confirmation."""

from __future__ import annotations

from django.db.models import QuerySet

from admin_wbs.importing import columns
from admin_wbs.importing import plan as planning
from admin_wbs.importing.columns import Layout
from admin_wbs.importing.plan import Plan
from admin_wbs.models import CodeImport, CodeList
from erpbridge.access.policy import Access
from erpbridge.files.read import read
from erpbridge.files.table import Line
from erpbridge.imports import uploads


def start(content: bytes, *, code_list: CodeList, file_name: str, access: Access) -> CodeImport:
    """Store the rows of a file; delete uploads that were not confirmed within a week.

    :raises FileProblem: if the file cannot be read, or its layout is unknown.
    """
    table = read(content)
    layout = columns.recognized(table.header)
    return uploads.store(
        CodeImport,
        table,
        file_name=file_name,
        access=access,
        list=code_list,
        delimiter=columns.proposed_delimiter(layout, table.lines),
    )


def visible_to(access: Access) -> QuerySet[CodeImport]:
    """The person's own uploads."""
    own = CodeImport.objects.filter(account=access.account, by=access.user)
    return own.select_related("account", "list")


def choose_delimiter(stored: CodeImport, delimiter: str) -> bool:
    """Set the delimiter of joined codes; False if the import was confirmed already."""
    if delimiter not in columns.DELIMITERS:
        # Not one of the offered ones: what is stored stays, and the page shows it.
        return True
    return uploads.update_unconfirmed(stored, delimiter=delimiter)


def layout_of(stored: CodeImport) -> Layout:
    """The layout of the upload."""
    return columns.recognized(stored.header)


def plan_of(stored: CodeImport) -> Plan:
    """What the upload would do now."""
    lines = [Line.from_json(kept) for kept in stored.rows]
    return planning.make(
        stored.list,
        lines,
        layout_of(stored),
        header=stored.header,
        delimiter=stored.delimiter,
    )

"""Check of a workbook before it is unpacked into memory.

An XLSX file is a ZIP archive of XML. A small one can unpack to gigabytes, have XML that expands
when parsed, or name files outside of itself. Here every member is unpacked piece by piece and
counted, without keeping anything, so that the reader's memory is bounded.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from xml.parsers import expat

from erpbridge.files.table import FileProblem

PIECE = 64 * 1024
MOST_MEMBERS = 2_000
MOST_UNPACKED = 40 * 1024 * 1024
# Compression ratio: sheets of repeated text reach about 40, a ZIP bomb 1,000.
MOST_RATIO = 200
RATIO_FROM = 2 * 1024 * 1024
# The reader needs memory per element, whatever its size in the file. Sheets and shared strings may
# have many, because they are released row by row; styles and the like are kept as a whole.
MOST_ELEMENTS = {"worksheet": 1_000_000, "sst": 1_000_000}
MOST_OTHER_ELEMENTS = 100_000
MOST_CELLS = 2_000
MOST_DEPTH = 64
DAMAGED = "The workbook is damaged. Open it in a spreadsheet, save it again and choose that file."


def check(content: bytes) -> None:
    """Reject what is not a workbook, or would become too large.

    :raises FileProblem: with the reason.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            _check_directory(archive.infolist(), len(content))
            unpacked = 0
            for member in archive.infolist():
                unpacked = _check_member(archive, member, unpacked)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, ValueError) as problem:
        if isinstance(problem, FileProblem):
            raise
        raise FileProblem(DAMAGED) from problem
    except (NotImplementedError, RuntimeError) as problem:
        message = "The workbook is packed in a way that cannot be read, or has a password."
        raise FileProblem(message) from problem
    except Exception as problem:  # zlib and the like have no common base class
        raise FileProblem(DAMAGED) from problem


def _check_directory(members: list[zipfile.ZipInfo], packed: int) -> None:
    """Check the archive's directory, before anything is unpacked."""
    names = [member.filename for member in members]
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise FileProblem("The file is a ZIP archive, not an Excel workbook (.xlsx).")
    if len(members) > MOST_MEMBERS:
        raise FileProblem(
            f"The workbook has {len(members):,} parts; the limit is {MOST_MEMBERS:,}."
        )
    # Of two members with one name, this check and the reader could see different ones.
    if len(set(names)) < len(names):
        raise FileProblem(DAMAGED)
    # As declared; _check_member() counts the real size.
    unpacked = sum(member.file_size for member in members)
    _refuse_growth(unpacked)
    if unpacked > max(RATIO_FROM, packed * MOST_RATIO):
        raise FileProblem(
            f"The workbook would unpack to {unpacked // max(packed, 1):,} times its size; "
            f"the limit is {MOST_RATIO}."
        )


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, unpacked: int) -> int:
    """Unpack one part without keeping it. Return the number of bytes unpacked so far."""
    elements = _Elements() if member.filename.lower().endswith((".xml", ".rels")) else None
    with archive.open(member) as part:
        while piece := part.read(PIECE):
            unpacked += len(piece)
            _refuse_growth(unpacked)
            if elements is not None:
                elements.feed(piece)
    return unpacked


def _refuse_growth(unpacked: int) -> None:
    if unpacked > MOST_UNPACKED:
        size, most = unpacked // 1024 // 1024, MOST_UNPACKED // 1024 // 1024
        raise FileProblem(
            f"The workbook would unpack to {size} MB or more; the limit is {most} MB. "
            "Save only the sheet with the rows, without pictures, or save it as “CSV UTF-8”."
        )


class _Elements:
    """Counts the elements of one part, and rejects dangerous XML."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.depth = self.number = self.cells = 0
        self.most = MOST_OTHER_ELEMENTS

    def feed(self, piece: bytes) -> None:
        """Parse the next piece.

        :raises FileProblem: above a limit, or for invalid XML.
        """
        try:
            # Never told that it is the end: an incomplete part is left to the reader, which refuses
            # it.
            self.parser.Parse(piece, False)
        except expat.ExpatError as problem:
            raise FileProblem(DAMAGED) from problem

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        # The root element tells the kind of part.
        if self.number == 0:
            self.most = MOST_ELEMENTS.get(local, MOST_OTHER_ELEMENTS)
        self.number += 1
        self.depth += 1
        self.cells = self.cells + 1 if local == "c" else 0 if local == "row" else self.cells
        if self.number > self.most or self.depth > MOST_DEPTH or self.cells > MOST_CELLS:
            raise FileProblem(
                "The workbook holds far more cells than a list needs. Copy the rows into a new "
                "workbook, or save the sheet as “CSV UTF-8”."
            )

    def _end(self, _name: str) -> None:
        self.depth -= 1

    def _doctype(self, *_declared: object) -> None:
        raise FileProblem(
            "The workbook holds XML with a document type (entities), which no spreadsheet writes. "
            "It was not read."
        )

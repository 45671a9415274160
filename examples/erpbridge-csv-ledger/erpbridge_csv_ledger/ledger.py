"""The ledger: a CSV file with one writer at a time, replaced as a whole."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COLUMNS = ("number", "version", "code", "name", "street", "zip")
Row = dict[str, str]


class Busy(Exception):
    """Another process has locked the file for too long."""


class Unreadable(Exception):
    """The file is not a vendor list."""


class Ledger:
    """A vendor list in ``folder``.

    :param patience: seconds to wait for the lock.
    """

    def __init__(self, folder: Path, patience: float) -> None:
        self.path = folder / "vendors.csv"
        self.lock = folder / "vendors.lock"
        self.patience = patience

    def rows(self) -> list[Row]:
        """All vendors.

        :raises Unreadable: if the file is not a vendor list.
        """
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise Unreadable("The first line of vendors.csv does not name the columns.")
        return rows

    @contextmanager
    def writing(self) -> Iterator[list[Row]]:
        """All vendors, to be changed in place; stored if the block ends without an error.

        :raises Busy: if another process keeps the file locked.
        :raises Unreadable: if the file is not a vendor list.
        """
        self._take_lock()
        try:
            rows = self.rows()
            yield rows
            self._replace(rows)
        finally:
            self.lock.unlink()

    def _take_lock(self) -> None:
        give_up = time.monotonic() + self.patience
        while True:
            try:
                os.close(os.open(self.lock, os.O_CREAT | os.O_EXCL))
            except FileExistsError as error:
                if time.monotonic() > give_up:
                    raise Busy("The vendor list is open somewhere else.") from error
                time.sleep(0.01)
            else:
                return

    def _replace(self, rows: list[Row]) -> None:
        new = self.path.with_suffix(".new")
        with new.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

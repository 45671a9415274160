"""Columns with the folded form of other columns (``erpbridge.db.text``), written along with them.

A model with such columns derives from :class:`Folding`, and its querysets from
:class:`FoldingQuerySet`, so that every way to write a row updates its folded columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction
from django.db.models import Q
from django.db.models.query_utils import DeferredAttribute

from erpbridge.db.batches import chunks
from erpbridge.db.row_values import OfRow
from erpbridge.db.text import LONGEST_KEY, key, search_text, search_words

if TYPE_CHECKING:
    _Base = models.Field[Any, Any]
else:
    _Base = object
T = TypeVar("T", bound=models.Model)
# Rows per statement.
AT_ONCE = 500


class _FromSources(DeferredAttribute):
    """Computes the value from the row's sources at each read; assigned values are ignored."""

    field: Folded

    def __get__(
        self, instance: models.Model | None, owner: type[models.Model] | None = None
    ) -> Any:
        if instance is None:
            return self
        # With a deferred source the stored value is loaded instead.
        if all(name in instance.__dict__ for name in self.field.sources):
            texts = (instance.__dict__[name] for name in self.field.sources)
            instance.__dict__[self.field.attname] = self.field.folded(texts)
        return super().__get__(instance, owner)

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = value


class Folded(_Base):
    """Base of the folded columns. ``sources`` are the columns they are computed from."""

    descriptor_class = _FromSources

    def __init__(self, *sources: str, **options: Any) -> None:
        self.sources = sources
        super().__init__(**{"editable": False, "default": "", **options})

    def deconstruct(self) -> Any:
        """Return the arguments for migrations, whose models fill the column too."""
        name, path, _args, options = super().deconstruct()
        return name, path, self.sources, options

    def folded(self, texts: Iterable[str | None]) -> str:
        """Return the stored form of the sources' texts."""
        raise NotImplementedError


class KeyField(Folded, models.CharField):  # type: ignore[type-arg]
    """The folded form of one column, for comparison and unique constraints."""

    def __init__(self, *sources: str, **options: Any) -> None:
        super().__init__(*sources, **{"max_length": LONGEST_KEY, **options})

    def folded(self, texts: Iterable[str | None]) -> str:
        """Return the key of the single source."""
        (text,) = texts
        return key(text or "")


class SearchField(Folded, models.TextField):  # type: ignore[type-arg]
    """The text that a search looks in, from one or several columns; see :func:`has_words`."""

    def folded(self, texts: Iterable[str | None]) -> str:
        """Return the texts in the form that a search compares."""
        return search_text(*(str(text or "") for text in texts))


def folded_fields(model: type[models.Model]) -> list[Folded]:
    """Return the folded columns of a model."""
    return [column for column in model._meta.concrete_fields if isinstance(column, Folded)]


def with_folded(model: type[models.Model], columns: Iterable[str]) -> list[str]:
    """Return the columns and the folded ones that depend on them."""
    names = list(columns)
    dependent = [column.name for column in folded_fields(model) if {*column.sources} & {*names}]
    return [*names, *(name for name in dependent if name not in names)]


def refold(model: type[models.Model], ids: Sequence[int], fields: Sequence[Folded]) -> None:
    """Recompute folded columns of some rows from the stored sources."""
    sources = {name for folded_field in fields for name in folded_field.sources}
    for batch in chunks(ids, AT_ONCE):
        rows = list(model._base_manager.filter(pk__in=batch).only(*sources))
        values = {
            folded_field.name: OfRow(
                {row.pk: getattr(row, folded_field.attname) for row in rows}, folded_field
            )
            for folded_field in fields
        }
        if rows:
            # Through the base manager, whose update does not fold the columns again.
            model._base_manager.filter(pk__in=[row.pk for row in rows]).update(**values)


def _folded_values(
    model: type[models.Model], values: Mapping[str, object]
) -> tuple[dict[str, str], list[Folded]]:
    """Return the folded values for an UPDATE, and the columns that need the stored rows."""
    computed: dict[str, str] = {}
    from_rows = []
    for column in folded_fields(model):
        if column.name in values or not {*column.sources} & {*values}:
            continue
        given = [values.get(name) for name in column.sources]
        # An expression such as F() is known to the database only, and a source may not be given at
        # all.
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) == len(given):
            computed[column.name] = column.folded(texts)
        else:
            from_rows.append(column)
    return computed, from_rows


class FoldingQuerySet(models.QuerySet[T]):
    """Rows whose folded columns are written along with their sources."""

    def update(self, **values: Any) -> int:
        """Update as in Django, with the folded columns."""
        computed, from_rows = _folded_values(self.model, values)
        if not from_rows:
            return super().update(**values, **computed)
        with transaction.atomic(using=self.db):
            # Read before the update, after which the filter may not match them any more.
            ids = list(self.order_by().values_list("pk", flat=True))
            count = super().update(**values, **computed)
            refold(self.model, ids, from_rows)
        return count

    def bulk_update(
        self, objs: Iterable[T], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update as in Django, with the folded columns."""
        return super().bulk_update(objs, with_folded(self.model, fields), batch_size=batch_size)

    def bulk_create(
        self,
        objs: Iterable[T],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[T]:
        """Insert as in Django; with ``update_fields``, folded columns are updated too."""
        if update_fields is not None:
            update_fields = with_folded(self.model, update_fields)
        return super().bulk_create(
            objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
        )


class Folding(models.Model):
    """A model with folded columns."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save as in Django; ``update_fields`` is extended by the folded columns."""
        if update_fields is not None:
            update_fields = with_folded(type(self), update_fields)
        super().save(*args, update_fields=update_fields, **options)


def has_words(query: str, *columns: str) -> Q:
    """Match rows where every word of ``query`` occurs in at least one of the search columns."""
    condition = Q()
    for word in search_words(query):
        in_any_column = Q()
        for column in columns:
            in_any_column |= Q(**{f"{column}__contains": word})
        condition &= in_any_column
    return condition

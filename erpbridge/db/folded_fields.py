"""Columns that hold the folded form of others (``erpbridge.db.text``), and are written with them.

A model with such columns derives from :class:`Folding`, and its querysets from
:class:`FoldingQuerySet`: whichever way a row is written, its folded columns follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction
from django.db.models import Q
from django.db.models.query_utils import DeferredAttribute

from erpbridge.db.row_values import OfRow
from erpbridge.db.text import LONGEST_KEY, key, search_text, search_words

if TYPE_CHECKING:
    _Base = models.Field[Any, Any]
else:
    _Base = object
T = TypeVar("T", bound=models.Model)
# Rows of one statement.
AT_ONCE = 500


class _FromSources(DeferredAttribute):
    """Made of the row's sources each time it is read; what is assigned does not count."""

    field: Any

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if all(name in instance.__dict__ for name in self.field.sources):
            texts = (instance.__dict__[name] for name in self.field.sources)
            instance.__dict__[self.field.attname] = self.field.folded(texts)
        return super().__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class Folded(_Base):
    """What the folded columns share. ``sources`` are the columns they are made of."""

    descriptor_class = _FromSources

    def __init__(self, *sources: str, **how: Any) -> None:
        self.sources = sources
        super().__init__(**{"editable": False, "default": "", **how})

    def deconstruct(self) -> Any:
        """For migrations, whose models fill the column too."""
        name, path, _args, how = super().deconstruct()
        return name, path, self.sources, how

    def folded(self, texts: Iterable[Any]) -> str:
        """The stored form of the sources' texts."""
        raise NotImplementedError


class KeyField(Folded, models.CharField):  # type: ignore[type-arg]
    """What two spellings of one column share: for equality, and in unique constraints."""

    def __init__(self, *sources: str, **how: Any) -> None:
        super().__init__(*sources, **{"max_length": LONGEST_KEY, **how})

    def folded(self, texts: Iterable[Any]) -> str:
        """The key of the one source."""
        (text,) = texts
        return key(text or "")


class SearchField(Folded, models.TextField):  # type: ignore[type-arg]
    """What a search looks at, of one column or several; see :func:`has_words`."""

    def folded(self, texts: Iterable[Any]) -> str:
        """The texts as a search compares them."""
        return search_text(*(str(text or "") for text in texts))


def folded_fields(model: type[models.Model]) -> list[Any]:
    """The folded columns of a model."""
    return [one for one in model._meta.concrete_fields if isinstance(one, Folded)]


def with_folded(model: type[models.Model], columns: Iterable[str]) -> list[str]:
    """The columns, and the folded ones that change with them."""
    given = list(columns)
    more = [one.name for one in folded_fields(model) if {*one.sources} & {*given}]
    return [*given, *(name for name in more if name not in given)]


def refold(model: type[models.Model], ids: Sequence[int], fields: Sequence[Any]) -> None:
    """Write folded columns of some rows anew, from what is stored of their sources."""
    sources = {name for one in fields for name in one.sources}
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        rows = list(model._base_manager.filter(pk__in=some).only(*sources))
        values = {
            one.name: OfRow({row.pk: getattr(row, one.attname) for row in rows}, one)
            for one in fields
        }
        if rows:
            model._base_manager.filter(pk__in=[row.pk for row in rows]).update(**values)


def _of_values(
    model: type[models.Model], values: Mapping[str, Any]
) -> tuple[dict[str, str], list[Any]]:
    """The folded columns of an UPDATE, and those that only the stored rows can tell."""
    known: dict[str, str] = {}
    unknown = []
    for one in folded_fields(model):
        if one.name in values or not {*one.sources} & {*values}:
            continue
        given = [values.get(name) for name in one.sources]
        if all(isinstance(text, str) for text in given):
            known[one.name] = one.folded(given)
        else:
            unknown.append(one)
    return known, unknown


class FoldingQuerySet(models.QuerySet[T]):
    """Rows whose folded columns are written with the columns they are made of."""

    def update(self, **values: Any) -> int:
        """As Django's."""
        known, unknown = _of_values(self.model, values)
        if not unknown:
            return super().update(**values, **known)
        with transaction.atomic(using=self.db):
            ids = list(self.order_by().values_list("pk", flat=True))
            count = super().update(**values, **known)
            refold(self.model, ids, unknown)
        return count

    def bulk_update(
        self, objs: Iterable[T], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """As Django's."""
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
        """As Django's."""
        if update_fields is not None:
            update_fields = with_folded(self.model, update_fields)
        return super().bulk_create(
            objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
        )


class Folding(models.Model):
    """A model with folded columns."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **how: Any) -> None:
        """As Django's; a part of the columns takes the folded ones along."""
        if update_fields is not None:
            update_fields = with_folded(type(self), update_fields)
        super().save(*args, update_fields=update_fields, **how)


def has_words(asked: str, *columns: str) -> Q:
    """Rows in whose search columns every word of ``asked`` occurs, each in any of them."""
    found = Q()
    for word in search_words(asked):
        anywhere = Q()
        for column in columns:
            anywhere |= Q(**{f"{column}__contains": word})
        found &= anywhere
    return found

"""The Directory's list of companies: the same time whether an account has a hundred or many."""

from __future__ import annotations

from functools import partial

from django.urls import reverse

from bench import ground
from bench.measure import Case, Result, medians

SIZES = (100, 1_000, 10_000)


def run(sizes: tuple[int, ...] = SIZES) -> Result:
    """Time the first page for accounts of each size."""
    cases: dict[str, Case] = {}
    for size in sizes:
        place = ground.ground()
        ground.add_companies(place, size)
        address = reverse("directory:account_companies", args=[place.account.pk])
        cases[f"{size:,} companies"] = partial(ground.page_seconds, place.ada, address)
    ground.analyze()
    names = list(cases)
    return Result(
        name="list_of_companies",
        what="A page of the list of companies",
        baseline=names[0],
        measured=names[-1],
        figures=medians(cases),
    )

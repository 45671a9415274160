from __future__ import annotations

import pytest

from admin_wbs.models.full_code import LONGEST_CODE, LONGEST_DESCRIPTION, full_code
from tests.generator import codes


@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_as_many_codes_as_asked_for_parents_first_and_none_twice(count):
    seen: set[tuple[str, ...]] = set()
    for path, description in codes(count):
        assert len(path) == 1 or tuple(path[:-1]) in seen
        assert tuple(path) not in seen
        assert len(path[-1]) <= LONGEST_CODE
        assert 0 < len(description) <= LONGEST_DESCRIPTION
        seen.add(tuple(path))
    assert len(seen) == len({full_code(path) for path in seen}) == count


def test_a_hundred_codes_reach_all_five_tiers():
    assert {len(path) for path, _ in codes(100)} == {1, 2, 3, 4, 5}


def test_a_seed_gives_the_same_codes_again():
    assert codes(300, seed=7) == codes(300, seed=7)
    assert codes(300, seed=7) != codes(300, seed=8)

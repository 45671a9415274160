"""The bugs that are put into a source. The program is imported inside the tests, so that they can
be collected without its dependencies.
"""

from __future__ import annotations

import tomllib

SOURCE = '''
@transaction.atomic
def settle(rows, by):
    """Not this: Settle."""
    with transaction.atomic():
        found = rows.filter(account=by).select_for_update(no_key=True)
    if found.exists() and by:
        raise Locked("They are locked.")
    logger.info("settled %s", by)
    note(found)
    return [one for one in found if one.open]


OPEN = frozenset({"ready", "queued"})
'''


def keys(source: str = SOURCE) -> set[str]:
    from tests.mutants.making import mutants_in

    return {mutant.key for mutant in mutants_in(source, "any")}


def test_safeguards_are_left_out_one_at_a_time():
    assert keys() >= {
        ": @transaction.atomic def settle(rows, by): ... -> def settle(rows, by): ...",
        "settle: transaction.atomic() -> __import__('contextlib').nullcontext()",
        "settle: rows.filter(account=by) -> rows",
        "settle: rows.filter(account=by).select_for_update(no_key=True) -> rows.filter(account=by)",
        "settle: found.exists() and by -> by",
        "settle: found.exists() and by -> (found.exists() and by) and False",
        'settle: raise Locked("They are locked.") -> pass',
        "settle: note(found) -> pass",
        "settle: for one in found if one.open -> for one in found",
        ': {"ready", "queued"} -> {"ready", }',
    }


def test_what_is_said_to_people_and_to_the_log_stays():
    assert not [key for key in keys() if "logger" in key or "Not this" in key]
    assert not [key for key in keys() if "None" in key and "They are locked" in key]


def test_what_is_only_faster_stays():
    source = "def act(rows):\n    rows.bulk_create(made, batch_size=100)\n"
    assert not [key for key in keys(source) if "101" in key or "rows.bulk_create(made, )" in key]


def test_what_only_the_type_checker_or_the_log_reads_stays():
    source = """
logger = logging.getLogger(__name__)
Check = Callable[[str, Any], Breach | None]


@dataclass(frozen=True)
class Answer:
    known: bool = False
"""
    assert keys(source) == {": False -> True"}


def test_what_is_only_kept_for_later_stays():
    assert not [key for key in keys("@cache\n@checked\ndef page(): ...\n") if "@cache" not in key]
    assert keys("@cache\ndef page(): ...\n") == set()


def test_what_only_notices_a_mistake_of_ours_stays():
    found_keys = keys(
        'def pairs(a, b):\n    return list(zip(a, b, strict=True))\n\n\nP = ParamSpec("P")\n'
    )
    assert "pairs: zip(a, b, strict=True) -> zip(None, b, strict=True)" in found_keys
    assert not [key for key in found_keys if "strict=None" in key or "strict=False" in key]
    assert not [key for key in found_keys if "ParamSpec" in key or key.endswith("zip(a, b, )")]


def test_two_alike_in_one_function_are_told_apart():
    source = "def act(rows):\n    note(rows)\n    note(rows)\n"
    assert {"act: note(rows) -> pass", "act: note(rows) -> pass (no. 2)"} <= keys(source)


def test_what_is_called_the_same_program_is_still_there():
    from tests.mutants.__main__ import SAME, stale
    from tests.mutants.targets import modules

    entries = tomllib.loads(SAME.read_text()).get("same", [])
    assert {entry["module"] for entry in entries} <= set(modules())
    assert [mutant for entry in entries for mutant in stale(entry["module"])] == []

"""Whether a list would fit another ERP, asked before the account switches to it.

Only active codes are looked at, for an inactive one is never sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erp_integrations import sendable
from erp_integrations.sendable import InstalledAdapter, Problem, Refusal
from erpbridge.files import delimited

# What the adapters' rules are about, by field; another field is called by its own name.
FIELDS = {"full_code": "Code", "description": "Description", "operation": "Sending"}
RULES = {
    "present": "missing",
    "numeric": "not a number",
    "max_length": "too long",
    "tiers": "too many tiers",
    "section_length": "length of a tier",
    "charset": "characters",
    "case": "capital or small letters",
    "format": "form",
    "disallow_division": "no detail code",
    "same_code": "two would be the same",
    "create": "takes no new ones",
}
HEADING = ("Code", "Description", "Rule", "Why", "Now", "Allowed")


@dataclass(frozen=True)
class Failing:
    """A code that the ERP would not take, with every rule it breaks."""

    code_id: int
    full_code: str
    description: str
    problems: tuple[Problem, ...]

    @cached_property
    def rules(self) -> list[str]:
        """The names of the rules, each once."""
        return list(dict.fromkeys(rule_of(one) for one in self.problems))


@dataclass(frozen=True)
class Verdict:
    """What an adapter's rules say of a list; ``failing`` in the order of the tree."""

    adapter: InstalledAdapter
    checked: int
    inactive: int
    failing: Sequence[Failing]

    @cached_property
    def by_rule(self) -> dict[str, int]:
        """How many codes break each rule, the most frequent first."""
        return dict(Counter(rule for one in self.failing for rule in one.rules).most_common())

    def breaking(self, rule: str) -> Sequence[Failing]:
        """The codes that break one rule; all for a rule that none of them breaks."""
        if rule not in self.by_rule:
            return self.failing
        return [one for one in self.failing if rule in one.rules]


def offered() -> list[InstalledAdapter]:
    """The adapters that take cost codes."""
    return [one for one in sendable.installed_adapters() if one.takes(list_services.CODE)]


def check(found: CodeList, adapter: InstalledAdapter) -> Verdict:
    """Ask an adapter of :func:`offered` about every active code of a list.

    :raises AdapterUnavailable: for one that is broken.
    """
    rows = found.codes.filter(is_active=True).order_by("sort_path")
    codes = {pk: (code, text) for pk, code, text in rows.values_list(*COLUMNS)}
    refused = sendable.check_against(list_services.CODE, found.account_id, list(codes), adapter.key)
    by_id: dict[int, Refusal] = {one.record_id: one for one in refused}
    failing = [
        Failing(pk, *texts, by_id[pk].problems) for pk, texts in codes.items() if pk in by_id
    ]
    inactive = found.codes.filter(is_active=False).count()
    return Verdict(adapter, len(codes), inactive, failing)


COLUMNS = ("pk", "full_code", "description")


def rule_of(problem: Problem) -> str:
    """What a broken rule is called in a table, such as "Code: too long"."""
    field = FIELDS.get(problem.field, problem.field.replace("_", " ").capitalize())
    return f"{field}: {RULES.get(problem.rule, problem.rule.replace('_', ' '))}"


def as_csv(failing: Sequence[Failing]) -> Iterator[str]:
    """The failing codes as CSV, a line for each rule that a code breaks."""
    return delimited.written(_lines(failing))


def _lines(failing: Sequence[Failing]) -> Iterator[Sequence[str]]:
    yield HEADING
    for one in failing:
        for problem in one.problems:
            words = (rule_of(problem), problem.message, problem.current, problem.limit)
            yield (one.full_code, one.description, *words)

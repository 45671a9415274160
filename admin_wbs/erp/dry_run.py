"""Check whether a list would fit another ERP, before the account switches to it.

Inactive codes are not checked, because they are never sent.
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

# Labels of the fields that adapters check; other fields are shown by their own name.
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
    """A code that the ERP would not take, with all rules that it breaks."""

    code_id: int
    full_code: str
    description: str
    problems: tuple[Problem, ...]

    @cached_property
    def rules(self) -> list[str]:
        """The labels of the rules, without duplicates."""
        return list(dict.fromkeys(rule_of(problem) for problem in self.problems))


@dataclass(frozen=True)
class Verdict:
    """The result of checking a list with an adapter; ``failing`` is in tree order."""

    adapter: InstalledAdapter
    checked: int
    inactive: int
    failing: Sequence[Failing]

    @cached_property
    def by_rule(self) -> dict[str, int]:
        """Number of codes that break each rule, the most frequent first."""
        return dict(Counter(rule for code in self.failing for rule in code.rules).most_common())

    def breaking(self, rule: str) -> Sequence[Failing]:
        """The codes that break a rule; all failing codes for an unknown rule."""
        if rule not in self.by_rule:
            return self.failing
        return [code for code in self.failing if rule in code.rules]


def offered() -> list[InstalledAdapter]:
    """The installed adapters that take cost codes."""
    return [
        adapter for adapter in sendable.installed_adapters() if adapter.takes(list_services.CODE)
    ]


def check(code_list: CodeList, adapter: InstalledAdapter) -> Verdict:
    """Check every active code of a list with an adapter from :func:`offered`.

    :raises AdapterUnavailable: if the adapter is broken.
    """
    rows = code_list.codes.filter(is_active=True).order_by("sort_path")
    codes = {pk: (code, text) for pk, code, text in rows.values_list(*COLUMNS)}
    refused = sendable.check_against(
        list_services.CODE, code_list.account_id, list(codes), adapter.key
    )
    by_id: dict[int, Refusal] = {refusal.record_id: refusal for refusal in refused}
    # In the order of the list, whatever the order of the refusals is.
    failing = [
        Failing(pk, *texts, by_id[pk].problems) for pk, texts in codes.items() if pk in by_id
    ]
    inactive = code_list.codes.filter(is_active=False).count()
    return Verdict(adapter, len(codes), inactive, failing)


COLUMNS = ("pk", "full_code", "description")


def rule_of(problem: Problem) -> str:
    """The label of a broken rule in a table, such as "Code: too long"."""
    field = FIELDS.get(problem.field, problem.field.replace("_", " ").capitalize())
    return f"{field}: {RULES.get(problem.rule, problem.rule.replace('_', ' '))}"


def as_csv(failing: Sequence[Failing]) -> Iterator[str]:
    """The failing codes as CSV, with a line for each broken rule."""
    return delimited.written(_lines(failing))


def _lines(failing: Sequence[Failing]) -> Iterator[Sequence[str]]:
    yield HEADING
    for code in failing:
        for problem in code.problems:
            words = (rule_of(problem), problem.message, problem.current, problem.limit)
            yield (code.full_code, code.description, *words)

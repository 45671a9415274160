from erpbridge.access import policy
from erpbridge.access.policy import Scope


def test_only_the_admin_of_the_account_may_manage_its_people(account, ada, pat, sam, olga):
    scope = Scope(account)
    answers = [bool(policy.can(person, "people.manage", scope)) for person in (ada, pat, sam, olga)]
    assert answers == [True, False, False, False]


def test_the_admin_and_the_approver_may_push_to_accounting(account, ada, pat, sam):
    scope = Scope(account)
    answers = [
        bool(policy.can(person, "items.accept", scope, "vendor")) for person in (ada, pat, sam)
    ]
    assert answers == [True, True, False]

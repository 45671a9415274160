"""A mutant is put into every function of the mutated source, whenever the function was made."""

from __future__ import annotations

import gc
from dataclasses import replace

from erpbridge.access.models import Account, Membership, User
from erpbridge.access.policy import RULES, Access, Scope


def test_what_a_function_made_at_import_runs_the_mutant_too():
    from tests.mutants.making import Mutant, path_of
    from tests.mutants.running import Forking, _functions

    module = "erpbridge.access.policy"
    source = path_of(module).read_text()
    always = source.replace("if access.level(tool) >= level:", "if True:")
    nobody = Access(User(), Scope(Account()), Membership())
    plugin = Forking([], lambda *_: None)
    plugin.functions, plugin.caches = _functions(gc.get_objects()), []
    mutant = Mutant(module, "_at_least", 0, "", "", always)
    try:
        assert plugin._put_in(mutant)
        assert RULES["people.view"](nobody, "").allowed
    finally:
        plugin._put_in(replace(mutant, source=source))
    assert not RULES["people.view"](nobody, "").allowed

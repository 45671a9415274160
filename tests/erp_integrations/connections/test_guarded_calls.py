"""Each call of an adapter: what it answers as it should, cannot be kept, or raises."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.urls import reverse

from erp_integrations.adapters.base import (
    CALLS_ERP,
    PURE,
    Adapter,
    AdapterError,
    Ambiguous,
    Choice,
    Command,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Handed,
    Health,
    InboundAsk,
    InboundCall,
    InboundReply,
    Io,
    LookUp,
    MadeFile,
    Operation,
    Outcome,
    Page,
    Problem,
    Report,
    Seen,
    Wire,
    WireField,
)
from erp_integrations.connections import refresh_job, safe_adapter
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.safe_adapter import CallNotAllowed, Guarded
from tests.outgoing.requests_without_erp import handled

SECRET = "hush-hush-7"
# A text that cannot be stored and may not be read; and what is kept of it.
FOUL = f"a\x00b\ud800 {SECRET}"
CLEAN = "a\ufffdb? [secret]"
# The same of what is compared as it is.
KEPT = f"a\ufffdb? {SECRET}"
PLAIN = "text/plain; charset=utf-8"

COMMAND = Command("i", "vendor", Operation.CREATE, "ACME", {"name": "Acme"})
CALL = InboundCall("POST", "", {}, b"")
ASK = InboundAsk(take=3)
RECORD = Found("7", "ACME", "v1", {"a": [1, None, True, 1.5, {"b": "c"}]})
FOUL_RECORD = replace(RECORD, data={FOUL: [FOUL, {"x": (FOUL, 1)}]})
KEPT_RECORD = replace(RECORD, data={KEPT: [KEPT, {"x": [KEPT, 1]}]})
TWO = Ambiguous(("7", "8"))
APPLIED = Outcome("7", "ACME", "v1", "<ok/>")
ERROR = ErpError(
    ErrorClass.INVALID, Effect.NOT_APPLIED, "No.", "name", "E1", "Ask Pat.", retry_after=7.0
)
REFUSED = Outcome(error=ERROR, answer="<no/>", erp_id="5")
TAKEN = Outcome(handle="H-1", check_after=9.0, answer="<later/>")
FOUL_ERROR = replace(ERROR, message=FOUL, field=FOUL, erp_code=FOUL, advice=FOUL)
CLEAN_ERROR = replace(ERROR, message=CLEAN, field=KEPT, erp_code=CLEAN, advice=CLEAN)
REPLY = InboundReply(200, "application/json", b"{}", retry_after=2.0)
FILE = MadeFile("vendors.csv", "text/csv", b"a,b")


def unknown(message: str) -> Outcome:
    return Outcome(error=ErpError(ErrorClass.BUG, Effect.UNCERTAIN, message))


def failed(call: str, error: str = "RuntimeError") -> str:
    return f"The adapter failed: {error} in Erp.{call}."


def cannot_be_kept(*ids: object) -> str:
    return f"{NOT_STORED}{ids}"


NOT_STORED = "The ERP answered with an ID that cannot be stored: "
NEITHER = unknown("The ERP neither accepted nor refused the record.")
NO_OUTCOME = unknown("The adapter failed: it returned something other than an outcome.")
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "check": (),
    "choice_kinds": (),
    "choices": ("vendor_type",),
    "validate": (COMMAND,),
    "preview": (COMMAND,),
    "find": ("vendor", "ACME"),
    "find_many": ("vendor", ["ACME"]),
    "fetch": ("vendor", "7"),
    "submit": ([COMMAND],),
    "poll": (["H-1"],),
    "receive": (CALL,),
    "reply": (ASK, [Handed("t", COMMAND, 20.0)], [LookUp("t", "vendor", "ACME")]),
    "locked_out": (CALL, 30.0),
    "render_file": ([COMMAND],),
    "read_result": (b"a,b",),
    "pull": ("vendor", "cursor", "since"),
}


def guarded(call: str, act: Callable[..., Any], secret: str = SECRET) -> Any:
    """One call of an adapter that does this, asked from within its guard."""

    def acting(self: Adapter, *arguments: Any) -> Any:
        assert arguments == ARGUMENTS[call]
        return act()

    methods = dict.fromkeys(Adapter.__abstractmethods__, None) | {call: acting}
    erp = type("Erp", (Adapter,), methods)
    adapter = erp({"company": "Harbor"}, {"key": secret}, Io(Path(), float, logging.getLogger()))
    safe = Guarded(adapter, 20.0)
    assert (safe.config, safe.secrets, safe.io) == (adapter.config, adapter.secrets, adapter.io)
    return getattr(safe, call)(*ARGUMENTS[call])


def answering(call: str, answer: Any) -> Any:
    return guarded(call, lambda: answer)


def raising(call: str, error: Exception) -> Any:
    def fail() -> None:
        raise error

    return guarded(call, fail)


CALLS = {
    name
    for name, attribute in vars(Adapter).items()
    if (callable(attribute) or isinstance(attribute, classmethod)) and name[0] != "_"
}


def test_every_call_is_tried_here():
    assert set(ARGUMENTS) == CALLS - {"manifest"}


# --- where the ERP may be called --------------------------------------------------------------


def test_the_contract_says_of_every_method_whether_it_calls_the_erp():
    assert CALLS == CALLS_ERP | PURE
    assert not CALLS_ERP & PURE


@pytest.mark.django_db
@pytest.mark.parametrize("call", sorted(CALLS_ERP))
def test_no_method_that_calls_the_erp_runs_in_a_transaction(call):
    answer = next(answer for name, answer in SOUND if name == call)
    with transaction.atomic(), pytest.raises(CallNotAllowed, match=rf"Adapter\.{call} calls"):
        raising(call, AssertionError("The adapter was called."))
    assert answering(call, answer) == answer


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", sorted(CALLS_ERP))
def test_nor_in_one_that_no_test_surrounds(call):
    with transaction.atomic(), pytest.raises(CallNotAllowed):
        answering(call, None)


@pytest.mark.parametrize("call", sorted(CALLS_ERP))
def test_nor_while_a_test_handles_a_request(call, rf):
    handling = handled.set(rf.get("/accounts/1/erp/connection/"))
    try:
        with pytest.raises(CallNotAllowed, match=f"GET /accounts/1/erp/connection/ .*{call}"):
            answering(call, None)
    finally:
        handled.reset(handling)


@pytest.mark.django_db
def test_a_page_that_calls_the_erp_fails_its_test(connection, client_of, ada, monkeypatch):
    monkeypatch.setattr(
        refresh_job,
        "refresh_only",
        lambda connection, **_: connection_services.test(connection, by=ada),
    )
    url = reverse("erp:holdings", args=[connection.account_id, connection.pk, "companies"])
    with pytest.raises(CallNotAllowed, match="Start a job"):
        client_of(ada).post(url)


@pytest.mark.django_db
@pytest.mark.parametrize("call", sorted(PURE - {"manifest"}))
def test_pure_methods_may_run_in_a_transaction(call):
    answer = next(answer for name, answer in SOUND if name == call)
    with transaction.atomic():
        assert answering(call, answer) == answer


# --- as it should be --------------------------------------------------------------------------

SOUND: list[tuple[str, Any]] = [
    ("check", Health(("Say who you are.",), {"Company": "Harbor"})),
    ("choice_kinds", ("vendor_type",)),
    ("choices", (Choice("SUB", "Subcontractor", "people"),)),
    ("validate", (Problem("name", "rule", "It is too long.", "12", "10"),)),
    ("preview", Wire((WireField("Name", "Acme", "name", True), WireField("Kind", "1")), "<acme/>")),
    ("find", RECORD),
    ("find", TWO),
    ("find", None),
    ("find_many", [RECORD]),
    ("find_many", [TWO]),
    ("find_many", [None]),
    ("fetch", RECORD),
    ("fetch", None),
    ("submit", [APPLIED]),
    ("submit", [REFUSED]),
    ("submit", [TAKEN]),
    ("poll", [APPLIED]),
    ("poll", [REFUSED]),
    ("poll", [TAKEN]),
    ("receive", InboundAsk(take=3, notes={"n": 1})),
    ("receive", InboundAsk(REPLY, take=2)),
    ("receive", InboundAsk(REPLY, wrong_credentials=True)),
    ("receive", InboundAsk(reports=(Report("t", APPLIED), Report("u", REFUSED)))),
    ("receive", InboundAsk(seen=(Seen("t", RECORD), Seen("u", TWO), Seen("v", None)))),
    ("reply", REPLY),
    ("locked_out", REPLY),
    ("render_file", FILE),
    ("read_result", {"i": APPLIED, "j": REFUSED}),
    ("pull", Page((RECORD, RECORD), "more")),
    ("pull", Page((RECORD,), point="5", deleted=("3", "4"))),
]


@pytest.mark.parametrize(("call", "answer"), SOUND)
def test_sound_answer_arrives_as_it_is(call, answer):
    assert answering(call, answer) == answer


# --- what cannot be kept ----------------------------------------------------------------------

PUT_RIGHT: list[tuple[str, Any, Any]] = [
    ("check", Health((FOUL,), {FOUL: FOUL}), Health((CLEAN,), {CLEAN: CLEAN})),
    ("choices", [Choice(FOUL, FOUL, "g" * 51)], (Choice(KEPT, CLEAN, "g" * 50),)),
    ("validate", [Problem("name", "rule", FOUL)], (Problem("name", "rule", CLEAN),)),
    ("preview", Wire((), FOUL), Wire((), CLEAN)),
    # A login that is none of the record's fields; a field that happens to hold the same stays.
    (
        "preview",
        Wire((WireField("Key", SECRET), WireField("Name", SECRET, "name")), ""),
        Wire((WireField("Key", "[secret]"), WireField("Name", SECRET, "name")), ""),
    ),
    ("find", FOUL_RECORD, KEPT_RECORD),
    ("find_many", [FOUL_RECORD], [KEPT_RECORD]),
    ("fetch", FOUL_RECORD, KEPT_RECORD),
    ("pull", Page((FOUL_RECORD,)), Page((KEPT_RECORD,))),
    ("submit", [replace(APPLIED, answer=FOUL)], [replace(APPLIED, answer=CLEAN)]),
    ("submit", [replace(TAKEN, answer=FOUL)], [replace(TAKEN, answer=CLEAN)]),
    (
        "submit",
        [replace(REFUSED, error=FOUL_ERROR, answer=FOUL, handle="H-1")],
        [replace(REFUSED, error=CLEAN_ERROR, answer=CLEAN)],
    ),
    ("submit", [], [unknown("The adapter failed: it returned 0 outcomes for 1 commands.")]),
    ("submit", None, [unknown(failed("submit", "TypeError"))]),
    ("submit", ["7"], [NO_OUTCOME]),
    ("poll", ["7"], [NO_OUTCOME]),
    (
        "receive",
        InboundAsk(reports=(Report("t", TAKEN),)),
        InboundAsk(reports=(Report("t", NEITHER),)),
    ),
    (
        "receive",
        InboundAsk(seen=(Seen("t", FOUL_RECORD),)),
        InboundAsk(seen=(Seen("t", KEPT_RECORD),)),
    ),
    (
        "receive",
        InboundAsk(wrong_credentials=True, take=1),
        InboundAsk(InboundReply(401, PLAIN, b"The credentials are wrong."), True, take=1),
    ),
    ("read_result", {FOUL: APPLIED, "j": TAKEN}, {KEPT: APPLIED, "j": NEITHER}),
]


@pytest.mark.parametrize(("call", "answer", "wanted"), PUT_RIGHT)
def test_what_cannot_be_kept_or_must_not_be_told_is_put_right(call, answer, wanted):
    assert answering(call, answer) == wanted


LONG = "x" * 201
WRONG_IDS = [
    ("", "ACME", "v1"),
    (7, "ACME", "v1"),
    (LONG, "ACME", "v1"),
    ("7", LONG, "v1"),
    ("7", "ACME", LONG),
    ("7", "A\x00", "v1"),
    ("7", "ACME", None),
]


@pytest.mark.parametrize("ids", WRONG_IDS)
def test_answer_with_ids_that_cannot_be_kept_is_no_answer(ids):
    message = cannot_be_kept(*ids)[:351]
    for call in ("submit", "poll"):
        (outcome,) = answering(call, [Outcome(*ids)])
        assert outcome.error.effect == Effect.UNCERTAIN
        assert outcome.error.message.startswith(NOT_STORED)
    for call, answer in [("find", Found(*ids, {})), ("pull", Page((Found(*ids, {}),)))]:
        error = error_raised_by(call, answering, answer)
        assert (error.cls, error.effect) == (ErrorClass.BUG, Effect.NOT_APPLIED)
        assert error.message == message
    (report,) = answering("receive", InboundAsk(reports=(Report("t", Outcome(*ids)),))).reports
    assert report.outcome.error.effect == Effect.UNCERTAIN
    refused = answering("receive", InboundAsk(seen=(Seen("t", Found(*ids, {})),))).refused
    assert (refused.status, refused.content_type) == (400, PLAIN)
    assert refused.body == message[:300].encode()


@pytest.mark.parametrize("erp_id", ["", 7, LONG, "A\x00"])
def test_deleted_id_that_cannot_be_kept_is_no_answer(erp_id):
    error = error_raised_by("pull", answering, Page((), deleted=("3", erp_id)))
    assert (error.cls, error.effect) == (ErrorClass.BUG, Effect.NOT_APPLIED)
    assert error.message.startswith(NOT_STORED)


def test_ids_may_be_as_long_as_their_columns():
    most = "x" * 200
    assert answering("find", Found(most, most, most, {})) == Found(most, most, most, {})
    assert answering("submit", [Outcome(most, most, most)]) == [Outcome(most, most, most)]
    assert answering("submit", [Outcome(handle=most)]) == [Outcome(handle=most)]
    message = cannot_be_kept("", "", "")
    assert answering("submit", [Outcome(handle=LONG)]) == [unknown(message)]
    # An outcome with an ID is applied, whatever else it contains.
    assert answering("submit", [replace(APPLIED, handle=LONG)]) == [APPLIED]


def test_version_and_code_may_be_empty():
    assert answering("find", Found("7", "", "", {})) == Found("7", "", "", {})
    assert answering("submit", [Outcome("7")]) == [Outcome("7")]


def test_id_that_cannot_be_kept_is_told_in_short_and_without_secrets():
    (outcome,) = answering("submit", [Outcome(f"{SECRET}\x00", "c" * 400)])
    message = outcome.error.message.removeprefix(NOT_STORED)
    assert message.startswith("('[secret]")
    assert len(message) == 300
    error = error_raised_by("find", answering, Found("7" * 400, "", "", {}))
    message = error.message.removeprefix(NOT_STORED)
    assert message == f"('{'7' * 298}"


def test_record_with_another_id_than_was_asked_for_is_an_error_and_the_log_names_it(caplog):
    error = error_raised_by("fetch", answering, replace(RECORD, erp_id="8" * 400))
    assert error.message == failed("fetch", "ValueError")
    assert f"it answered with {'8' * 300}\n" in caplog.text


def test_number_of_outcomes_to_handles_has_to_be_right():
    error = error_raised_by("poll", answering, [])
    assert error == ErpError(
        ErrorClass.BUG,
        Effect.NOT_APPLIED,
        "The adapter failed: it returned 0 outcomes for 1 handles.",
    )


def test_texts_are_as_long_as_can_be_kept():
    error = replace(ERROR, message="m" * 2_001, field="f" * 101, advice="a" * 2_001)
    (outcome,) = answering("submit", [Outcome(error=error, answer="x" * 100_001)])
    kept = outcome.error
    lengths = [len(text) for text in (kept.message, kept.field, kept.advice, outcome.answer)]
    assert lengths == [2_000, 100, 2_000, 100_000]
    assert len(answering("preview", Wire((), "x" * 100_001)).text) == 100_000
    assert answering("check", Health(("m" * 2_001,))).problems == ("m" * 2_000,)


def test_answer_is_no_longer_for_the_secrets_that_were_taken_out_of_it():
    (outcome,) = guarded("submit", lambda: [Outcome("7", answer="x7y8 " * 20_000)], "x7y8")
    assert outcome.answer == ("[secret] " * 20_000)[:100_000]
    wire = guarded("preview", lambda: Wire((), "x7y8 " * 20_000), "x7y8")
    assert wire.text == ("[secret] " * 20_000)[:100_000]


def test_secret_at_the_end_of_what_is_kept_is_not_told_by_half():
    (outcome,) = answering("submit", [Outcome("7", answer="." * 99_995 + SECRET)])
    assert outcome.answer == "." * 99_995 + "[secr"


WAITS = [(-5.0, 0.0), (0.0, 0.0), (7.5, 7.5), (86_401.0, 86_400.0), (math.inf, 86_400.0)]


@pytest.mark.parametrize(("asked", "wait"), [*WAITS, (math.nan, None), (None, None)])
def test_time_that_an_error_asks_for_is_none_to_a_day(asked, wait):
    (outcome,) = answering("submit", [Outcome(error=replace(ERROR, retry_after=asked))])
    assert outcome.error.retry_after == wait


@pytest.mark.parametrize("call", ["submit", "poll"])
@pytest.mark.parametrize(("asked", "wait"), [*WAITS, (math.nan, 0.0)])
def test_time_until_a_handle_is_asked_about_is_none_to_a_day(call, asked, wait):
    (outcome,) = answering(call, [replace(TAKEN, check_after=asked)])
    assert outcome.check_after == wait


def test_outcome_with_a_senseless_time_is_an_error_of_the_adapter():
    senseless: Any = replace(ERROR, retry_after="soon")
    error = error_raised_by("poll", answering, [Outcome(error=senseless)])
    assert error.message == failed("poll", "TypeError")
    assert answering("submit", [Outcome(error=senseless)]) == [
        unknown(failed("submit", "TypeError"))
    ]


# --- what it raises ---------------------------------------------------------------------------

INSTEAD: dict[str, Callable[[str], Any]] = {
    "check": lambda message: Health((message,)),
    "validate": lambda message: (Problem("connection", "adapter", message),),
    "preview": lambda message: Wire((), message),
    "submit": lambda message: [unknown(message)],
    "receive": lambda message: InboundAsk(InboundReply(500, PLAIN, message.encode())),
    "reply": lambda message: InboundReply(500, PLAIN, message.encode()),
    "locked_out": lambda message: InboundReply(429, PLAIN, message.encode(), retry_after=30.0),
}
RAISES = sorted(set(ARGUMENTS) - set(INSTEAD))


def error_raised_by(call: str, how: Callable[[str, Any], Any], what: Any) -> ErpError:
    with pytest.raises(AdapterError) as raised:
        how(call, what)
    return raised.value.error


@pytest.mark.parametrize("call", INSTEAD)
@pytest.mark.parametrize("error", [RuntimeError(SECRET), OSError(SECRET)])
def test_what_answers_in_any_case_says_what_failed(call, error):
    message = failed(call, type(error).__name__)
    assert raising(call, error) == INSTEAD[call](message)


@pytest.mark.parametrize("call", RAISES)
@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (RuntimeError(SECRET), ErrorClass.BUG),
        (ConnectionResetError(SECRET), ErrorClass.TRANSIENT),
        (SoftTimeLimitExceeded(), ErrorClass.TRANSIENT),
    ],
)
def test_what_may_fail_says_what_failed_and_whether_to_try_again(call, error, cls):
    message = failed(call, type(error).__name__)
    assert error_raised_by(call, raising, error) == ErpError(cls, Effect.NOT_APPLIED, message)


@pytest.mark.parametrize("call", RAISES)
def test_error_that_the_adapter_has_understood_is_told_as_it_is_without_secrets(call):
    assert error_raised_by(call, raising, AdapterError(ERROR)) == ERROR
    assert error_raised_by(call, raising, AdapterError(FOUL_ERROR)) == CLEAN_ERROR


def test_call_of_an_erp_that_the_adapter_does_not_understand_is_refused():
    wrong = replace(ERROR, message="\x00" + "m" * 400)
    body = ("\ufffd" + "m" * 299).encode()
    assert raising("receive", AdapterError(wrong)) == InboundAsk(InboundReply(400, PLAIN, body))


def test_manifest_is_no_business_of_an_instance():
    with pytest.raises(NotImplementedError):
        Guarded.manifest({})


@pytest.mark.parametrize("value", ["", None, 0, 7, 1.5, True, ["a"], {"a": None}])
def test_plain_values_stay_as_they_are(value):
    assert safe_adapter.plain_values(value) == value
    assert type(safe_adapter.plain_values(value)) is type(value)


def test_other_values_become_text():
    assert safe_adapter.plain_values({"when": Path("a/b"), 7: ("x",)}) == {
        "when": "a/b",
        "7": ["x"],
    }

"""The measured clock never runs ahead of the time that has really passed, whoever pushes it."""

import random
from datetime import timedelta

import pytest
from django.core.management import call_command

from erpbridge.clock.measured import STEP, Hand, Stopped, after, ago, at_least, moment, now
from erpbridge.clock.models import Clock
from tests.wall_clock import jump

SOME_MINUTES = 600.0


class TrueTime:
    """What really passes: also while a process waits for the database, or is frozen."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += self.chance.choice([0, 0.001, 0.01, 3]) * self.chance.random()
        return self.now


@pytest.mark.parametrize("seed", range(5))
def test_many_hands_never_make_it_run_ahead_and_never_back(db, seed):
    true = TrueTime(seed)
    hands = [Hand(true.monotonic) for _ in range(4)]
    seen = []
    for _ in range(150):
        place = true.chance.randrange(len(hands))
        if true.chance.random() < 0.1:
            # A process dies, and another takes its place.
            hands[place] = Hand(true.monotonic)
        true.now += true.chance.choice([0.0, 0.1, 1.0, 60.0]) * true.chance.random()
        seen.append((true.now, now()))
        hands[place].push()
        seen.append((true.now, now()))
    for number, (earlier, before) in enumerate(seen):
        for later, then in seen[number:]:
            measured = (then - before).total_seconds()
            assert 0 <= measured <= later - earlier + STEP + 1e-5


def test_one_hand_keeps_it_going_as_fast_as_time_passes(db):
    true, begin = 0.0, now()
    hand = Hand(lambda: true)
    hand.push()
    for _ in range(60):
        true += 1.0
        hand.push()
    assert now() - begin == timedelta(seconds=60)


def test_hands_that_come_later_do_not_slow_it_down(db):
    true, begin = 0.0, now()
    hands = [Hand(lambda: true) for _ in range(3)]
    for number in range(300):
        hands[number % 3].push()
        true += 0.25
    assert (now() - begin).total_seconds() > 70


def test_a_hand_that_was_frozen_pushes_one_step(db):
    true, begin = 0.0, now()
    hand = Hand(lambda: true)
    hand.push()
    true += SOME_MINUTES
    hand.push()
    assert now() - begin == timedelta(seconds=STEP)


def test_it_begins_anew_where_an_older_database_was_restored(db):
    true = 0.0
    hand = Hand(lambda: true)
    hand.push()
    older = now() - timedelta(hours=1)
    Clock.objects.update(reading=older)
    true += 1.0
    hand.push()
    assert now() == older
    true += 1.0
    hand.push()
    assert now() == older + timedelta(seconds=1)


@pytest.mark.parametrize("seconds", [3_600, -3_600])
def test_a_jump_of_the_wall_clock_is_not_one_of_the_measured_clock(db, seconds):
    before = moment()
    with jump(seconds):
        then = moment()
    assert then.reading == before.reading
    assert abs((then.wall - before.wall).total_seconds() - seconds) < 30


def test_what_is_waited_for_is_shown_by_the_wall_clock(db):
    Clock.objects.update(reading=now() - timedelta(days=30))
    at = moment()
    soon = at.reading + timedelta(minutes=3)
    assert at.ahead(soon) == at.wall + timedelta(minutes=3)
    assert at.ahead(at.reading) is None
    assert at.ahead(None) is None


def test_spans_are_late_and_never_early(db):
    clock = Clock.objects.annotate(after=after(60), least=at_least(60), ago=ago(60)).get()
    assert clock.after - clock.reading == timedelta(seconds=60)
    assert clock.least - clock.reading == timedelta(seconds=60 + STEP)
    assert clock.reading - clock.ago == timedelta(seconds=60 + STEP)


def test_without_its_row_nothing_is_over_and_the_reason_is_told(db):
    Clock.objects.all().delete()
    assert not Clock.objects.filter(pk__lte=1, reading__lte=after(0)).exists()
    with pytest.raises(Stopped, match=r"Run: manage\.py migrate"):
        moment()


def test_an_emptied_database_has_one_again(transactional_db):
    call_command("flush", interactive=False, verbosity=0)
    assert moment().reading <= moment().wall + timedelta(seconds=1)

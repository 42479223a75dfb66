"""Whether the machine slept, by two clocks of which one stands still meanwhile."""

import pytest

from agent.clock import SleepWatch


class Clocks:
    def __init__(self):
        self.awake = self.ever = 1000.0

    def pass_time(self, seconds, *, asleep=False):
        self.ever += seconds
        self.awake += 0 if asleep else seconds


def test_a_night_is_noticed_once():
    clocks = Clocks()
    watch = SleepWatch(lambda: clocks.awake, lambda: clocks.ever)
    clocks.pass_time(60)
    assert watch.slept() == 0
    clocks.pass_time(8 * 3600, asleep=True)
    clocks.pass_time(1)
    assert watch.slept() == pytest.approx(8 * 3600)
    clocks.pass_time(1)
    assert watch.slept() == 0


def test_the_clocks_of_this_host_agree_while_it_is_awake():
    assert SleepWatch().slept() < 1

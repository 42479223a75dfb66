"""Timers of many peers against the plain way: ask all of them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from agent.engine.timers import Timers

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abcde"), st.one_of(st.integers(0, 9), st.just(math.inf))),
        st.integers(0, 10),
    ),
    max_size=200,
)


@given(STEPS)
def test_they_agree_with_a_plain_search(steps):
    timers, plain = Timers(), {}
    for step in steps:
        if isinstance(step, tuple):
            key, due = step
            timers.set(key, due)
            plain[key] = due
        else:
            due = sorted((moment, key) for key, moment in plain.items() if moment <= step)
            assert timers.pop(step) == [key for _, key in due]
            for _, key in due:
                del plain[key]
        assert timers.next() == min(plain.values(), default=math.inf)


def test_moving_a_key_for_ever_takes_no_memory():
    timers = Timers()
    for moment in range(10_000):
        timers.set("a", float(moment))
    assert len(timers._heap) < 100

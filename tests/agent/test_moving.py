"""When a region is home, and how long the one before stays."""

import math

from agent.engine.moving import LINGER_SECONDS, Home


def at_home(code):
    home = Home()
    home.want(code)
    return home


def test_the_first_home_is_taken_at_once_and_another_only_when_it_is_proven():
    home = at_home("a")
    assert home.code == "a"
    assert not home.proven("a")
    home.want("b")
    assert (home.code, home.kept(0)) == ("a", {"a", "b"})
    assert not home.proven("c")
    assert home.proven("b")
    assert (home.code, home.kept(0)) == ("b", {"a", "b"})


def test_a_dead_region_changes_nothing():
    home = at_home("a")
    for _ in range(10):
        home.want("b")
        home.want("a")
        assert not home.proven("a")
    assert (home.code, home.kept(1e9), home.next_timeout()) == ("a", {"a"}, math.inf)


def test_the_old_link_stays_until_the_control_plane_knows_and_then_a_while():
    home = at_home("a")
    home.want("b")
    home.proven("b")
    home.told("a", 50)  # the answer to a heartbeat of before
    home.told(None, 60)
    assert home.kept(1e9) == {"a", "b"}
    home.told("b", 100)
    home.told("b", 105)  # the next heartbeat does not begin it anew
    assert home.next_timeout() == 100 + LINGER_SECONDS
    assert home.kept(99 + LINGER_SECONDS) == {"a", "b"}
    assert home.kept(100 + LINGER_SECONDS) == {"b"}


def test_going_back_keeps_both_until_that_is_known():
    home = at_home("a")
    home.want("b")
    home.proven("b")
    home.want("a")
    assert home.proven("a")
    home.told("b", 1)
    assert home.kept(1e9) == {"a", "b"}
    home.told("a", 2)
    assert home.kept(2 + LINGER_SECONDS) == {"a"}


def test_without_regions_there_is_no_home_and_the_next_is_the_first():
    home = at_home("a")
    home.want("b")
    home.proven("b")
    home.want(None)
    assert (home.code, home.kept(0)) == (None, set())
    home.want("a")
    assert home.code == "a"

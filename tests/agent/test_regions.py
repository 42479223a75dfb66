"""Which region is home, survey after survey."""

from agent.engine.regions import STEADY_SECONDS, HomeRegion

KNOWN = {"a": 10, "b": 20}


def test_home_moves_only_for_a_clear_and_lasting_gain():
    home, known = HomeRegion(), {"a": 10, "b": 20}
    assert home.survey({"a": 50.0, "b": 90.0}, known, now=0.0) == "a"
    assert home.survey({"a": 50.0, "b": 45.0}, known, now=0.0) == "a"
    assert home.survey({"a": 50.0, "b": 20.0}, known, now=0.0) == "a"
    assert home.survey({"a": 50.0, "b": 48.0}, known, now=0.0) == "a"
    assert home.survey({"a": 50.0, "b": 20.0}, known, now=0.0) == "a"
    assert home.survey({"a": 50.0, "b": 20.0}, known, now=0.0) == "b"


def test_home_moves_at_once_when_it_is_lost_and_stays_when_udp_is_blocked():
    home, known = HomeRegion(), {"a": 10, "b": 20}
    assert home.survey({}, known, now=0.0) == "a"
    assert home.survey({"b": 20.0}, known, now=0.0) == "b"
    assert home.survey({}, known, now=0.0) == "b"
    assert home.survey({}, {"a": 10}, now=0.0) == "a"


def test_a_region_that_failed_is_home_only_when_there_is_no_other():
    home, known = HomeRegion("a"), {"a": 10, "b": 20}
    assert home.survey({"a": 1.0, "b": 80.0}, known, avoid={"a"}, now=0.0) == "b"
    assert home.survey({"a": 1.0}, known, avoid={"a"}, now=0.0) == "b"
    assert home.survey({"a": 1.0, "b": 80.0}, known, now=0.0) == "b"
    assert home.survey({"a": 1.0, "b": 80.0}, known, now=0.0) == "a"
    assert home.survey({}, known, avoid={"a", "b"}, now=0.0) == "a"


def lost_home(latencies):
    """At home in a, which is not heard at second 0: b takes over."""
    home = HomeRegion("a")
    assert home.survey({"b": latencies["b"]}, KNOWN, now=0.0) == "b"
    assert home.waits
    return home


def test_a_home_that_was_lost_is_home_again_when_it_is_steady():
    latencies = {"a": 30.0, "b": 25.0}
    home = lost_home(latencies)
    assert home.survey(latencies, KNOWN, now=10.0) == "b"
    assert home.survey(latencies, KNOWN, now=9.0 + STEADY_SECONDS) == "b"
    assert home.survey({"b": 25.0}, KNOWN, now=11.0 + STEADY_SECONDS) == "b", "it was lost again"
    assert home.survey(latencies, KNOWN, now=100.0) == "b"
    assert home.survey(latencies, KNOWN, now=99.0 + STEADY_SECONDS) == "b"
    assert home.survey(latencies, KNOWN, now=100.0 + STEADY_SECONDS) == "a"
    assert not home.waits
    assert home.survey(latencies, KNOWN, now=101.0 + STEADY_SECONDS) == "a"


def test_it_stays_away_where_the_other_is_clearly_better():
    latencies = {"a": 90.0, "b": 25.0}
    home = lost_home(latencies)
    assert home.survey(latencies, KNOWN, now=10.0) == "b"
    assert home.survey(latencies, KNOWN, now=10.0 + STEADY_SECONDS) == "b"
    assert not home.waits
    assert home.survey({"a": 30.0, "b": 25.0}, KNOWN, now=99.0 + STEADY_SECONDS) == "b"


def test_one_whose_relay_failed_is_not_home_while_it_is_avoided():
    latencies = {"a": 30.0, "b": 25.0}
    home = HomeRegion("a")
    assert home.survey(latencies, KNOWN, avoid={"a"}, now=0.0) == "b"
    for now in (1.0, 1.0 + STEADY_SECONDS):
        assert home.survey(latencies, KNOWN, avoid={"a"}, now=now) == "b"
    assert home.survey(latencies, KNOWN, now=2.0 + STEADY_SECONDS) == "a"


def test_one_that_left_the_map_is_not_waited_for():
    home = lost_home({"b": 25.0})
    assert home.survey({"b": 25.0}, {"b": 20}, now=1.0) == "b"
    assert not home.waits

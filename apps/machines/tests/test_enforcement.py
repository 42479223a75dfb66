"""What a machine was told and has in force: bookkeeping without a socket."""

from apps.machines.enforcement import MAX_AWAITED, Awaited


def test_an_acknowledgement_counts_from_the_oldest_change_it_covers():
    awaited = Awaited()
    awaited.changed(5, 100.0)
    awaited.changed(6, 101.0)
    awaited.settled(6, told=True)
    awaited.changed(7, 102.0)
    awaited.settled(7, told=True)
    assert awaited.acknowledged(4) == []
    assert awaited.acknowledged(6) == [100.0]
    assert awaited.acknowledged(7) == [102.0]
    assert awaited.acknowledged(7) == []


def test_a_change_that_does_not_concern_the_machine_is_not_waited_for():
    awaited = Awaited()
    awaited.changed(5, 100.0)
    awaited.settled(5, told=False)
    awaited.changed(6, 200.0)
    awaited.settled(6, told=True)
    assert awaited.acknowledged(9) == [200.0]


def test_a_machine_that_never_acknowledges_costs_a_bounded_memory():
    awaited = Awaited()
    for version in range(10 * MAX_AWAITED):
        awaited.changed(version, float(version))
        awaited.settled(version, told=True)
    assert len(awaited.acknowledged(10**6)) == MAX_AWAITED

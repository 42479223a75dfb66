"""A machine works on by its map when the control plane would take most of it away without a reason."""

import asyncio
import base64
import contextlib
import dataclasses

import pytest

from agent import mapguard
from agent.membership import Membership
from agent.state import MachineState, Store
from tests.agent.signer import Signer
from wire.control import MAP_REFUSED, FromAgent
from wire.losses import digest
from wire.netmap import Netmap, NetmapDelta, Peer, SelfNode

KEY = base64.b64encode(bytes(32)).decode()
NAMES = tuple("abcdef")
OWN = SelfNode("m1", "m1", "m1.x", "100.64.0.1")


def netmap(version, names=NAMES, **own):
    peers = {name: Peer(name, name, f"{name}.x", f"100.64.0.{ord(name)}", KEY) for name in names}
    return Netmap(version, dataclasses.replace(OWN, **own), peers)


class Machine:
    """A membership, what it acted on, and what its guard says to the control plane."""

    def __init__(self, directory, signer):
        self.signer, self.used, self.said, self.ended = signer, [], asyncio.Queue(), []
        state = MachineState("m1", "o1", "m1", "m1.x", "100.64.0.1", "nk", "i", "w", "d", "k", "p")
        self.membership = Membership(
            store=Store(directory),
            machine=state,
            use=lambda netmap: self.used.append((netmap.version, "".join(sorted(netmap.peers)))),
            relay_token=lambda token: None,
            told=lambda heartbeat: None,
            look=lambda: None,
            count_cut=lambda *asked: None,
            ended=lambda error: self.ended.append(error.code),
            failures=lambda: [],
        )

    def linked(self, published=...):
        self.membership.on_link(True, None)
        self.membership.on_ready("online", self.signer.published if published is ... else published)

    async def say(self, kind, /, **body):
        self.said.put_nowait((kind, body))
        return True

    async def until(self, kind):
        async with asyncio.timeout(5):
            while True:
                said, body = await self.said.get()
                if said is kind:
                    return body

    async def explain(self, **changes):
        """Answer its question with what the control plane would sign."""
        asked = await self.until(FromAgent.EXPLAIN)
        offer = self.membership.guard._offer.asked
        assert (asked["from"], asked["to"]) == (offer.from_version, offer.to_version)
        assert asked["lost"] == digest(asked["peers"])
        statement = self.signer.statement(offer, **changes) if changes is not None else None
        return self.membership.on_explained(asked["nonce"], statement)

    async def refuse(self):
        asked = await self.until(FromAgent.EXPLAIN)
        assert not self.membership.on_explained(asked["nonce"], None)
        return await self.until(FromAgent.EVENT)


@pytest.fixture
async def machine(tmp_path):
    machine = Machine(tmp_path, Signer())
    running = asyncio.create_task(machine.membership.guard.run(machine.say))
    machine.linked()
    machine.membership.on_netmap(netmap(1))
    yield machine
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


ALL = "".join(NAMES)


async def test_a_map_without_a_reason_is_not_acted_on(machine):
    machine.membership.on_netmap(netmap(2, "ab"))
    assert not machine.membership.settled()
    told = await machine.refuse()
    assert (told["kind"], told["have"], told["offered"], told["lost"]) == (MAP_REFUSED, 1, 2, 4)
    assert machine.used == [(1, ALL)]
    assert machine.membership.netmap.version == 1
    assert machine.membership.guard.refused["lost"] == 4
    # Nor after a restart without the control plane.
    machine.membership.flush()
    again = Machine(machine.membership._store.directory, machine.signer)
    again.membership.restore()
    assert again.used == [(1, ALL)]


async def test_a_signed_one_is_acted_on_at_once(machine):
    machine.membership.on_netmap(netmap(2, "ab"))
    assert await machine.explain()
    assert machine.used == [(1, ALL), (2, "ab")]
    assert machine.membership.settled()
    assert machine.membership.guard.refused is None


@pytest.mark.parametrize("changes", [{"sub": "m2"}, {"org": "o2"}, {"from": 0}, {"nonce": "x"}, {"exp": 1}])
async def test_a_statement_about_something_else_changes_nothing(machine, changes):
    machine.membership.on_netmap(netmap(2, ""))
    assert not await machine.explain(**changes)
    assert machine.used == [(1, ALL)]
    assert machine.membership.guard.refused is not None


async def test_deltas_are_held_to_it_too_and_pile_up_behind_the_question(machine):
    assert machine.membership.on_delta(NetmapDelta(1, 2, remove=frozenset("abc")))
    await machine.until(FromAgent.EXPLAIN)
    assert machine.membership.on_delta(NetmapDelta(2, 3, remove=frozenset("d")))
    assert machine.membership.version == 3
    assert machine.used == [(1, ALL)]
    assert await machine.explain()
    assert machine.used == [(1, ALL), (3, "ef")]


async def test_few_losses_need_no_reason(machine):
    machine.membership.on_delta(NetmapDelta(1, 2, remove=frozenset("ab")))
    machine.membership.on_delta(NetmapDelta(2, 3, remove=frozenset("c")))
    assert [used for _, used in machine.used] == [ALL, "cdef", "def"]


async def test_its_own_quarantine_is_reason_enough(machine):
    machine.membership.on_netmap(netmap(2, "", status="quarantined", quarantine_reason="admin"))
    assert machine.used == [(1, ALL), (2, "")]


async def test_a_good_map_ends_a_refusal(machine):
    machine.membership.on_netmap(netmap(2, ""))
    await machine.refuse()
    machine.membership.on_delta(NetmapDelta(2, 3, upsert=tuple(netmap(3).peers.values())))
    assert machine.used == [(1, ALL), (3, ALL)]
    assert machine.membership.guard.refused is None
    assert machine.membership.settled()


async def test_a_refusal_does_not_delay_a_change_that_was_meant(machine):
    machine.membership.on_netmap(netmap(2, ""))
    await machine.refuse()
    machine.membership.on_delta(NetmapDelta(2, 3, self_node=OWN))
    assert await machine.explain()
    assert machine.used == [(1, ALL), (3, "")]


async def test_the_whole_map_is_asked_for_again_ever_more_seldom(machine, monkeypatch):
    monkeypatch.setattr(mapguard, "LOOK_SECONDS", 0.001)
    clock = [1000.0]
    machine.membership.guard._clock = lambda: clock[0]
    machine.membership.on_netmap(netmap(2, ""))
    await machine.refuse()
    pauses, before = [], clock[0]
    while len(pauses) < 8:
        clock[0] += 1.0
        await asyncio.sleep(0.003)
        while not machine.said.empty():
            kind, body = machine.said.get_nowait()
            if kind is FromAgent.RESYNC:
                assert body == {"have": 1}
                pauses.append(round(clock[0] - before))
                before = clock[0]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 6
    assert pauses[-1] <= mapguard.LAST_PAUSE_SECONDS + 2


async def test_silence_is_no_reason(machine, monkeypatch):
    monkeypatch.setattr(mapguard, "ANSWER_SECONDS", 0.0)
    machine.membership.on_netmap(netmap(2, ""))
    told = await machine.until(FromAgent.EVENT)
    assert told["why"] == "no reason came"
    assert machine.used == [(1, ALL)]


async def test_a_control_plane_that_never_had_keys_is_followed_and_one_that_lost_them_is_not(tmp_path):
    machine = Machine(tmp_path, Signer())
    machine.linked(published=None)
    machine.membership.on_netmap(netmap(1))
    machine.membership.on_netmap(netmap(2, ""))
    assert machine.used == [(1, ALL), (2, "")]
    machine.linked()
    machine.membership.on_netmap(netmap(3))
    machine.membership.on_link(False, None)
    machine.linked(published=None)
    machine.membership.on_netmap(netmap(4, ""))
    assert machine.used[-1] == (3, ALL)
    assert machine.membership.guard.refused is not None
    # The keys outlive the process.
    again = Machine(tmp_path, Signer())
    again.linked()
    again.membership.on_netmap(netmap(3))
    again.membership.on_netmap(netmap(4, ""))
    assert again.used == [(3, ALL)]


async def test_a_new_link_begins_with_the_map_that_is_held(machine):
    machine.membership.on_netmap(netmap(2, ""))
    assert machine.membership.version == 2
    machine.membership.on_link(False, None)
    assert machine.membership.version == 1


GONE = ("INVALID_NODE_KEY", "gone", True)


async def test_a_removal_that_is_proven_ends_it_even_by_a_key_that_is_new(machine):
    machine.signer.rotate()
    proof = {"statement": machine.signer.removal(), "signing_keys": machine.signer.published}
    machine.membership.on_refused(*GONE, proof)
    assert machine.ended == ["INVALID_NODE_KEY"]


@pytest.mark.parametrize(
    "changes", [{"sub": "m2"}, {"org": "o2"}, {"key": "0" * 64}, {"exp": 1}, {"aud": "quickztna-map-loss"}]
)
async def test_a_removal_of_something_else_does_not(machine, changes):
    machine.membership.on_refused(*GONE, {"statement": machine.signer.removal(**changes)})
    assert machine.ended == []
    assert "not proven" in machine.membership.refusal


async def test_a_control_plane_that_lost_its_machines_ends_none(machine):
    machine.membership.on_refused(*GONE, {})
    stranger = Signer()
    machine.membership.on_refused(
        *GONE, {"statement": stranger.removal(), "signing_keys": stranger.published}
    )
    assert machine.ended == []
    assert machine.used == [(1, ALL)]


async def test_what_the_machine_is_called_is_kept_for_those_who_ask_without_the_daemon(machine):
    store = machine.membership._store
    assert store.machine() is None
    state = MachineState("m1", "o1", "m1", "m1.x", "100.64.0.1", "nk", "i", "w", "d", "k", "p")
    store.save(state)
    machine.membership.on_netmap(netmap(2, name="laptop", magicdns_name="laptop.x", tags=("prod",)))
    kept = store.machine()
    assert (kept.name, kept.magicdns_name, kept.tags) == ("laptop", "laptop.x", ("prod",))
    assert dataclasses.replace(kept, name="m1", magicdns_name="m1.x", tags=()) == state
    # A machine that was signed out meanwhile is not brought back.
    store.forget()
    machine.membership.on_netmap(netmap(3, name="desktop"))
    assert store.machine() is None

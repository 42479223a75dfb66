"""A peer's identity is pinned at first sight; another one needs a person's word."""

import asyncio
from dataclasses import replace

import pytest

from agent.alarms import report_swapped_identities
from agent.engine.identity import IdentityChange
from agent.keys import MachineKeys
from agent.network import Network
from agent.state import Store
from wire.control import FromAgent
from wire.netmap import Netmap, Peer, SelfNode

PEER_ID = "22222222-2222-4222-8222-222222222222"


class Port:
    port = 41641

    def send(self, *sent):
        pass

    inject = network_changed = send


class WireGuard:
    """Remembers which peers it was told of."""

    backend = "memory"

    def __init__(self):
        self.peers = set()

    def apply(self, changes):
        for change in changes:
            (self.peers.discard if change.remove else self.peers.add)(change.public_key)


@pytest.fixture(scope="module")
def keys():
    return MachineKeys.generate(), MachineKeys.generate(), MachineKeys.generate()


def peer_of(keys):
    return Peer(PEER_ID, "beta", "beta.acme.zt.net", "100.64.0.2", **keys.announcement())


def netmap_of(*peers):
    own = SelfNode("m0", "alpha", "alpha.acme.zt.net", "100.64.0.1")
    return Netmap(1, own, {peer.machine_id: peer for peer in peers})


@pytest.fixture
def start(tmp_path, keys):
    networks = []

    def build():
        network = Network(
            store=Store(tmp_path),
            keys=keys[0],
            wireguard=WireGuard(),
            port=Port(),
            send_relayed=lambda key, size, packet: True,
        )
        networks.append(network)
        return network

    yield build
    for network in networks:
        network.proxy._socket.close()


def test_a_swapped_identity_is_refused_removed_and_named(start, keys, caplog):
    _, honest, mallory = keys
    network = start()
    network.apply(netmap_of(peer_of(honest)), 0.0)
    assert network.wireguard.peers == {honest.wireguard_public}
    for _ in range(3):
        network.apply(netmap_of(peer_of(mallory)), 1.0)
    assert network.wireguard.peers == set()
    assert PEER_ID not in network.links
    assert "identity" in network.refused[PEER_ID]
    assert len([record for record in caplog.records if "refused" in record.message]) == 1
    network.apply(netmap_of(peer_of(honest)), 2.0)
    assert not network.refused
    assert not network.swapped
    assert network.wireguard.peers == {honest.wireguard_public}


def test_the_pin_outlives_a_restart(start, keys):
    _, honest, mallory = keys
    start().apply(netmap_of(peer_of(honest)), 0.0)
    network = start()
    network.apply(netmap_of(peer_of(mallory)), 0.0)
    assert network.swapped[PEER_ID].offered == mallory.announcement()["identity_public_key"]
    assert network.wireguard.peers == set()


def test_leaving_and_coming_back_does_not_launder_an_identity(start, keys):
    _, honest, mallory = keys
    network = start()
    network.apply(netmap_of(peer_of(honest)), 0.0)
    network.apply(netmap_of(), 1.0)
    network.apply(netmap_of(peer_of(mallory)), 2.0)
    assert PEER_ID in network.refused


def test_a_person_accepts_exactly_what_was_shown(start, keys):
    _, honest, mallory = keys
    network = start()
    network.apply(netmap_of(peer_of(honest)), 0.0)
    changed = netmap_of(peer_of(mallory))
    network.apply(changed, 1.0)
    shown = network.swapped[PEER_ID]
    assert not network.accept_identity(PEER_ID, shown.pinned)
    assert not network.accept_identity("other", shown.offered)
    assert network.accept_identity(PEER_ID, shown.offered)
    network.apply(changed, 2.0)
    assert network.wireguard.peers == {mallory.wireguard_public}
    assert not network.accept_identity(PEER_ID, shown.offered)
    network.apply(netmap_of(peer_of(honest)), 3.0)
    assert network.swapped[PEER_ID] == IdentityChange(shown.offered, shown.pinned)


def test_accepting_an_identity_gives_up_no_post_quantum_key(start, keys):
    from wire.binary import encode_key
    from wire.identity import signed_bundle

    _, honest, mallory = keys
    network = start()
    network.apply(netmap_of(peer_of(honest)), 0.0)
    bundle = signed_bundle(
        identity=mallory.identity_public,
        wireguard=mallory.wireguard_public,
        disco=mallory.disco_public,
        mlkem=None,
    )
    classical = replace(
        peer_of(mallory), mlkem_public_key=None, identity_signature=encode_key(mallory.sign(bundle))
    )
    network.apply(netmap_of(classical), 1.0)
    assert network.accept_identity(PEER_ID, network.swapped[PEER_ID].offered)
    network.apply(netmap_of(classical), 2.0)
    assert "post-quantum" in network.refused[PEER_ID]
    assert network.wireguard.peers == set()


async def test_each_change_is_reported_once_and_again_only_when_it_was_not_heard(start, keys, monkeypatch):
    monkeypatch.setattr("agent.alarms.LOOK_SECONDS", 0.001)
    _, honest, mallory = keys
    network = start()
    network.apply(netmap_of(peer_of(honest)), 0.0)
    network.apply(netmap_of(peer_of(mallory)), 1.0)
    tried, connected, enough = [], False, asyncio.Event()

    async def send(kind, /, **body):
        tried.append((kind, body))
        if len(tried) == 3:
            enough.set()
        return connected

    task = asyncio.create_task(report_swapped_identities(network, send))
    await asyncio.wait_for(enough.wait(), 5)
    connected = True
    at = len(tried)
    await asyncio.sleep(0.05)
    assert len(tried) in (at, at + 1)
    task.cancel()
    kind, body = tried[-1]
    assert kind is FromAgent.EVENT
    change = network.swapped[PEER_ID]
    assert body == {
        "kind": "peer_identity_changed",
        "peer_machine_id": PEER_ID,
        "old": change.pinned,
        "new": change.offered,
    }

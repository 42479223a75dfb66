"""A peer as WireGuard tells of it, when the clock of the host is not to be trusted."""

import math

import pytest

from agent.engine.identity import PeerKeys
from agent.engine.keyring import Keyring
from agent.engine.path import PeerPath
from agent.engine.psk import PskSession
from agent.engine.start import Starter
from agent.io.wireguard import PeerStatus
from agent.peering import PeerLink
from wire.binary import Endpoint
from wire.netmap import Peer

BOOT, WALL = 1000.0, 1_800_000_000.0


@pytest.fixture
def link():
    return PeerLink(
        peer=Peer("m", "beta", "beta.x.zt.net", "100.64.0.2", "d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c="),
        keys=PeerKeys(identity=b"i" * 32, wireguard=b"w" * 32, disco=b"d" * 32, mlkem=None),
        path=PeerPath(own_wireguard=b"o" * 32, random_bytes=bytes),
        psk=PskSession(initiator=True, keys=Keyring(), renewal=None, now=BOOT),
        starter=Starter(initiator=True),
        relay=Endpoint("127.77.0.2", 4000),
    )


@pytest.mark.parametrize("jump", [-86_400.0, -30.0, 30.0, 86_400.0])
def test_a_jump_of_the_wall_clock_does_not_age_a_session(link, jump):
    status = PeerStatus(None, WALL, 0, 0)
    link.observe(status, BOOT + 0.5, WALL + 0.5)
    assert link.last_handshake == pytest.approx(BOOT)
    link.observe(status, BOOT + 10, WALL + 10 + jump)
    assert link.last_handshake == pytest.approx(BOOT)
    # The next handshake carries the new time, and both clocks agree on how old it is.
    link.observe(PeerStatus(None, WALL + jump + 60, 0, 0), BOOT + 61, WALL + jump + 61)
    assert link.last_handshake == pytest.approx(BOOT + 60)


def test_a_peer_without_a_handshake_has_none(link):
    link.observe(PeerStatus(None, 0.0, 0, 0), BOOT, WALL)
    assert link.last_handshake == -math.inf
    assert link.label == "none"

"""Nobody, outsiders and foreign pages at every socket."""

import json

import pytest
from channels.db import database_sync_to_async

from apps.core import realtime
from quickztna.sockets import application_for, websocket_urlpatterns
from tests.sockets import Closed, Socket
from tests.sweeps.conftest import CANARY

# Every socket, and whether a user token opens it for a member.
SOCKETS = {"api/realtime": True, "api/agent": False}


def path_of(pattern):
    return str(pattern.pattern).removesuffix("/")


def socket_of(path, cast, *, token=None, org=None, origin=None):
    offered = ["quickztna.v1", "ztna-agent.v1"] + ([f"access_token.{token}"] if token else [])
    query = f"org_id={(org or cast.org_a).pk}"
    return Socket(application_for(None), f"/{path}", query, offered, origin=origin)


async def refused(socket):
    """True if it is refused at the upgrade, or tells nothing before it is closed."""
    try:
        await socket.connect()
        for _ in range(3):
            assert CANARY not in json.dumps(await socket.receive(timeout=15))
    except Closed as closed:
        return closed.code in (401, 403, 4001, 4003)
    return False


def test_every_socket_is_known():
    assert {path_of(pattern) for pattern in websocket_urlpatterns()} <= set(SOCKETS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pattern", websocket_urlpatterns(), ids=str)
async def test_nobody_and_outsiders_are_refused(pattern, cast):
    path = path_of(pattern)
    bearer = cast.charlie.client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    own = cast.alice.client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    assert await refused(socket_of(path, cast))
    assert await refused(socket_of(path, cast, token="x.y.z"))
    assert await refused(socket_of(path, cast, token=bearer))
    if SOCKETS[path]:
        assert await refused(socket_of(path, cast, token=own, origin="https://evil.example"))
        assert await refused(socket_of(path, cast, token=own, origin="http://127.0.0.1.evil.example"))


@pytest.mark.django_db(transaction=True)
async def test_an_outsider_hears_nothing_of_another_organisation(cast):
    bearer = cast.charlie.client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    socket = socket_of("api/realtime", cast, token=bearer, org=cast.org_b)
    await socket.connect()
    hello = await socket.receive()
    named = [*hello["availableChannels"], realtime.org_group(cast.org_a, "members"), f"../{cast.org_a.pk}"]
    await socket.send({"type": "subscribe", "channels": named})
    answer = await socket.receive()
    assert set(answer["refused"]) == set(named) - set(hello["availableChannels"])

    def publish(org, text):
        realtime.publish(
            org=org, channel="members", event="UPDATE", table="org_members", payload={"id": text}
        )

    await database_sync_to_async(publish)(cast.org_a, CANARY)
    await database_sync_to_async(publish)(cast.org_b, "own")
    heard = await socket.receive()
    assert heard["payload"] == {"id": "own"}
    assert await socket.silent()
    await socket.disconnect()

"""The agent's socket against a real WebSocket server that says what a control plane may say."""

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.server import serve

from agent.io.control import tls_context
from agent.io.link import AgentLink
from wire import control
from wire.netmap import Netmap, SelfNode

OWN = SelfNode("m", "alpha", "alpha.acme.zt.net", "100.64.0.1")
HELLO = {"type": "hello", "challenge": "c", "session_id": "s", "protocol": "p", "server_time": "t"}
READY = {"type": "ready", "status": "online", "heartbeat_s": 60}


class Agent:
    """Keeps what the link reports; holds the newest map."""

    def __init__(self):
        self.netmap, self.seen = None, []

    def on_link(self, connected, reason):
        self.seen.append(("link", connected))

    def on_ready(self, status, signing_keys):
        self.seen.append(("ready", status))

    def on_netmap(self, netmap):
        self.netmap = netmap
        self.seen.append(("netmap", netmap.version))

    def on_delta(self, delta):
        if self.netmap is None or delta.from_version != self.netmap.version:
            return False
        self.on_netmap(self.netmap.apply(delta))
        return True

    def on_relay_token(self, token):
        self.seen.append(("token", token))

    def on_nudge(self, what, peer_machine_id):
        self.seen.append(("nudge", what, peer_machine_id))

    def on_heartbeat_taken(self, heartbeat):
        self.seen.append(("taken", heartbeat))

    def on_count_cut(self, question, trial):
        self.seen.append(("count_cut", question, trial))

    def on_explained(self, nonce, statement):
        self.seen.append(("explained", nonce, statement))
        return True

    def settled(self):
        return True

    def on_time(self, server_time):
        self.time = server_time

    def failures(self):
        return []

    def on_refused(self, code, message, final, proof):
        self.seen.append(("refused", code, final))


@contextlib.asynccontextmanager
async def linked(speak, *, beat=False):
    """A link to a server that runs speak(connection); yields (agent, link, headers seen)."""
    headers = []

    async def handle(connection):
        headers.append(connection.request.headers)
        with contextlib.suppress(Exception):
            await speak(connection)

    async with serve(handle, "127.0.0.1", 0, subprotocols=[control.SUBPROTOCOL]) as server:
        agent = Agent()
        link = AgentLink(
            url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            org_id="o",
            machine_id="m",
            node_key="nk_live_x",
            sign=lambda challenge, host, session: f"{challenge}/{session}",
            tls=tls_context(None),
            mark=None,
            events=agent,
            heartbeat=lambda: {"status": "online"},
            netmap_version=lambda: agent.netmap.version if agent.netmap else None,
        )
        if beat:
            link.heartbeat_now()
        task = asyncio.create_task(link.run())
        try:
            yield agent, link, headers
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def say(connection, *messages):
    for message in messages:
        await connection.send(json.dumps(message))


async def greet(connection):
    await say(connection, HELLO)
    auth = json.loads(await connection.recv())
    await say(connection, READY)
    return auth


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_it_proves_itself_and_beats_at_once_even_if_news_came_before():
    heard = []

    async def speak(connection):
        heard.append(await greet(connection))
        async for frame in connection:
            heard.append(json.loads(frame))

    async with linked(speak, beat=True) as (agent, link, headers):
        await until(lambda: len(heard) >= 2)
        assert link.connected
    assert headers[0]["Authorization"] == "Bearer nk_live_x"
    assert (heard[0]["type"], heard[0]["signature"], heard[0]["machine_id"]) == ("auth", "c/s", "m")
    assert heard[1] == {"type": "heartbeat", "status": "online"}
    assert ("ready", "online") in agent.seen


async def test_what_a_heartbeat_says_is_taken_when_its_own_answer_comes():
    alive = {"type": "alive", "netmap_version": None, "server_time": "t"}
    heard, answer = [], asyncio.Event()

    async def speak(connection):
        await greet(connection)
        async for frame in connection:
            heard.append(json.loads(frame))
            if heard[-1]["type"] == "heartbeat":
                await answer.wait()
            await say(connection, alive)

    async with linked(speak, beat=True) as (agent, _, _):
        await until(lambda: heard)
        assert ("taken", {"status": "online"}) not in agent.seen
        answer.set()
        await until(lambda: ("taken", {"status": "online"}) in agent.seen)
        # An answer to nothing takes nothing.
        assert [each[0] for each in agent.seen].count("taken") == 1


async def test_maps_in_parts_deltas_and_tokens_arrive_and_a_gap_asks_for_the_whole_map():
    heard = []
    document = Netmap(7, OWN).to_json()
    text = json.dumps({"type": "netmap", "netmap": document, "relay_token": "r", "expires_in": 900})

    async def speak(connection):
        await greet(connection)
        halves = text[: len(text) // 2], text[len(text) // 2 :]
        parts = [{"type": "part", "index": i, "count": 2, "data": half} for i, half in enumerate(halves)]
        await say(connection, *parts)
        await say(connection, {"type": "delta", "delta": {"from": 7, "to": 8, "peers": {}}})
        await say(connection, {"type": "delta", "delta": {"from": 9, "to": 10, "peers": {}}})
        await say(connection, {"type": "nudge", "what": "key_exchange", "peer_machine_id": "p"})
        async for frame in connection:
            heard.append(json.loads(frame))

    async with linked(speak) as (agent, _, _):
        await until(lambda: any(each["type"] == "resync" for each in heard))
        await until(lambda: ("nudge", "key_exchange", "p") in agent.seen)
    assert [each for each in agent.seen if each[0] in ("netmap", "token")] == [
        ("token", "r"),
        ("netmap", 7),
        ("netmap", 8),
    ]
    assert [each["version"] for each in heard if each["type"] == "ack"] == [7, 8]
    assert next(each for each in heard if each["type"] == "resync")["have"] == 8


@pytest.mark.parametrize(
    "message",
    [
        {"type": "heartbeat"},
        {"type": "nonsense"},
        {"type": "netmap", "netmap": {"version": "x"}},
        {"type": "part", "index": 3, "count": 9, "data": "x"},
        [],
    ],
)
async def test_a_server_that_breaks_the_protocol_is_left_and_the_map_stays(message):
    closed = asyncio.Event()

    async def speak(connection):
        await greet(connection)
        await say(connection, {"type": "netmap", "netmap": Netmap(7, OWN).to_json()})
        await say(connection, message)
        await connection.wait_closed()
        closed.set()

    async with linked(speak) as (agent, _, _):
        async with asyncio.timeout(5):
            await closed.wait()
        await until(lambda: ("link", False) in agent.seen)
        assert agent.netmap.version == 7


async def test_a_removal_is_told_and_a_restart_is_not():
    calls = []

    async def speak(connection):
        calls.append(1)
        if len(calls) == 1:
            await greet(connection)
            await connection.close(control.CLOSE_RESTART)
        else:
            await say(
                connection,
                {"type": "close_reason", "code": "INVALID_NODE_KEY", "message": "gone", "final": True},
            )
            await connection.close(control.CLOSE_CREDENTIAL)

    async with linked(speak) as (agent, _, _):
        await until(lambda: ("link", False) in agent.seen)
        assert not [each for each in agent.seen if each[0] == "refused"]
        await until(lambda: ("refused", "INVALID_NODE_KEY", True) in agent.seen)


@pytest.mark.parametrize(("code", "heard"), [(control.CLOSE_HEARD, True), (control.CLOSE_RESTART, False)])
async def test_a_goodbye_counts_once_the_control_plane_hangs_up_for_it(code, heard):
    async def speak(connection):
        await greet(connection)
        while json.loads(await connection.recv())["type"] != "goodbye":
            pass
        await connection.close(code)

    async with linked(speak) as (_, link, _):
        assert not await link.goodbye()  # nobody to say it to yet
        await until(lambda: link.connected)
        assert await link.goodbye() is heard


async def test_a_goodbye_into_a_dead_line_is_never_heard():
    async def speak(connection):
        await greet(connection)
        await connection.wait_closed()

    async with linked(speak) as (_, link, _):
        await until(lambda: link.connected)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await link.goodbye()

"""Calls of the control plane when the line is bad."""

import asyncio
import socket

import pytest

from agent.io.control import ControlClient, Unreachable
from tests.services import free_ports

BODY = b'{"success": true, "data": 42}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def serve(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


def test_a_connection_that_was_refused_is_tried_again():
    async def run():
        port = free_ports(1)
        client = ControlClient(f"http://127.0.0.1:{port}")
        call = asyncio.create_task(client.call("GET", "/"))
        await asyncio.sleep(0.2)
        assert not call.done()
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        try:
            assert await call == 42
        finally:
            await client.close()
            server.close()

    asyncio.run(run())


def test_a_call_that_was_sent_is_not_sent_twice():
    """Whether it was carried out is unknown: registering twice is worse than an error."""
    calls = []

    async def hang_up(reader, writer):
        calls.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def run():
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        client = ControlClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            with pytest.raises(Unreachable):
                await client.call("POST", "/", {"once": True})
        finally:
            await client.close()
            server.close()

    asyncio.run(run())
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("host", "reason"), [("127.0.0.1", "Connection refused"), ("nowhere.invalid", "not known")]
)
def test_the_error_says_what_the_system_said_and_how_long_it_took(host, reason):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = ControlClient(f"http://{host}:{taken.getsockname()[1]}")
        with pytest.raises(
            Unreachable, match=rf"cannot reach http://{host}.*\(gave up after \d.\d s\).*{reason}"
        ):
            asyncio.run(client.call("GET", "/"))

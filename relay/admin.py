"""The operator's port: /metrics and /healthz over HTTP, on the loopback address only."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from relay.http import MAX_HEAD_BYTES, HttpError, find_head, parse_request, response
from relay.metrics import render
from relay.server import RelayServer

HOST: Final = "127.0.0.1"
_REQUEST_SECONDS: Final = 5.0
_PLAIN: Final = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


async def serve(port: int, relay: RelayServer, *, healthy: Callable[[], bool]) -> None:
    """Answer until cancelled. healthy() is false when no new client should be sent here."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                writer.write(await _answer(reader, relay, healthy))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, port, limit=MAX_HEAD_BYTES)
    async with server:
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, relay: RelayServer, healthy: Callable[[], bool]) -> bytes:
    try:
        found = find_head(await reader.readuntil(b"\r\n\r\n"))
        assert found is not None
        head = parse_request(found[0])
    except asyncio.LimitOverrunError:
        return response(431)
    except HttpError as error:
        return response(error.status)
    if head.method != "GET":
        return response(405, {"Allow": "GET"})
    if head.path == "/metrics":
        return response(200, _PLAIN, render(relay))
    if head.path == "/healthz":
        return response(200, _PLAIN, b"ok\n") if healthy() else response(503, _PLAIN, b"not serving\n")
    return response(404)

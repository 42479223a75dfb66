"""The daemon's socket: JSON lines, one answer to each request, told apart by who asks.

    {"command": "status", ...}  ->  {"data": ...} | {"error": {"code", "message"}}

Everybody on this machine may read; root and the user who started the daemon may change.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from agent.errors import AgentError

logger = logging.getLogger("agent.ipc")

MAX_LINE_BYTES = 64 * 1024
_CREDENTIALS = struct.Struct("3i")

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]


class IpcServer:
    """reads are open to everybody here, changes to root and to our own user."""

    def __init__(self, path: Path, *, reads: Mapping[str, Handler], changes: Mapping[str, Handler]) -> None:
        self._path, self._reads, self._changes = path, reads, changes
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a stale socket file of a killed daemon is replaced."""
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=MAX_LINE_BYTES)
        self._path.chmod(0o666)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            uid = _peer_uid(writer.get_extra_info("socket"))
            while line := await reader.readline():
                answer = await self._answer(line, uid)
                writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the client went away, or sent a line beyond the limit
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            request = json.loads(line)
            command = request["command"]
            handler = self._reads.get(command)
            if handler is None:
                handler = self._changes.get(command)
                if handler is None:
                    raise AgentError("UNKNOWN_COMMAND", f"the daemon knows no command {command!r}")
                if uid not in (0, os.geteuid()):
                    raise AgentError("PERMISSION_DENIED", "only root and the daemon's own user may do this")
            return {"data": await handler(request)}
        except AgentError as error:
            return {"error": {"code": error.code, "message": error.message}}
        except (ValueError, KeyError, TypeError):
            return {"error": {"code": "INVALID_INPUT", "message": "malformed request"}}


def _peer_uid(sock: socket.socket) -> int:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])

"""A WebSocket client that speaks ASGI to an application in this process."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Closed(Exception):
    """The server closed, or refused the upgrade; code is a close code or an HTTP status."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


class Socket:
    """connect, send and receive JSON; `subprotocol` is what the server picked."""

    def __init__(
        self,
        application: Any,
        path: str,
        query: str = "",
        subprotocols: list[str] | None = None,
        *,
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        client: str = "127.0.0.1",
    ) -> None:
        sent = {"host": "127.0.0.1", **({"origin": origin} if origin else {}), **(headers or {})}
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "subprotocols": subprotocols or [],
            "client": (client, 40000),
            "extensions": {"websocket.http.response": {}},
        }
        self._peer = ApplicationCommunicator(application, scope)
        self.subprotocol: str | None = None

    async def connect(self) -> None:
        """Open; raises Closed."""
        await self._peer.send_input({"type": "websocket.connect"})
        message = await self._peer.receive_output(10)
        if message["type"] == "websocket.http.response.start":
            raise Closed(message["status"])
        if message["type"] == "websocket.close":
            raise Closed(message["code"])
        self.subprotocol = message.get("subprotocol")

    async def send(self, message: Any) -> None:
        await self.send_text(json.dumps(message))

    async def send_text(self, text: str) -> None:
        await self._peer.send_input({"type": "websocket.receive", "text": text})

    async def receive(self, timeout: float = 5) -> Any:
        """The next frame as JSON; raises Closed, TimeoutError."""
        message = await self._peer.receive_output(timeout)
        if message["type"] == "websocket.close":
            raise Closed(message["code"], message.get("reason") or "")
        return json.loads(message["text"])

    async def silent(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes for so long."""
        return await self._peer.receive_nothing(seconds)

    async def disconnect(self) -> None:
        await self._peer.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._peer.wait(5)

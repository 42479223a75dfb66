"""Where WebSockets go; an app lists its own in `consumers.websocket_urlpatterns`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.apps import apps

from apps.core.middleware import LARGEST_BODY
from apps.core.realtime import attach_loop


def websocket_urlpatterns() -> list[Any]:
    """All apps' socket routes."""
    found: list[Any] = []
    for config in apps.get_app_configs():
        module = f"{config.name}.consumers"
        if config.name.startswith("apps.") and find_spec(module):
            found += import_module(module).websocket_urlpatterns
    return found


def application_for(http: Any) -> Any:
    """An ASGI application that hands HTTP to `http` and sockets to their consumers."""
    router = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns())})

    # Django keeps a body of unknown length on disk; it must not fill the disk.
    async def capped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        received = 0

        async def counted() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message if received <= LARGEST_BODY else {"type": "http.disconnect"}

        await router(scope, counted, send)

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        attach_loop()
        await (capped if scope["type"] == "http" else router)(scope, receive, send)

    return application


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

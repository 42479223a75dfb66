"""Where WebSockets go; an app lists its own in `consumers.websocket_urlpatterns`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.apps import apps

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

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        attach_loop()
        await router(scope, receive, send)

    return application


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

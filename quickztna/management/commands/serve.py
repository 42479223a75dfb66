"""manage.py serve: the whole control plane in one process."""

import asyncio
import contextlib
import gc
import socket
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import uvicorn
import uvloop
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

LARGEST_FRAME = 1024 * 1024
COLLECTOR = (20_000, 20, 50)


def calm_collector() -> None:
    """What is loaded by now stays, and a pass over all objects of a thousand sockets takes 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


class Listener(uvicorn.Server):
    """One listening socket of several in one event loop; the first one takes the signals for all."""

    def __init__(
        self, config: uvicorn.Config, followers: tuple["Listener", ...] = (), *, leads: bool
    ) -> None:
        super().__init__(config)
        self._followers, self._leads = followers, leads

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals() if self._leads else contextlib.nullcontext():
            yield

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        for server in self._followers:
            server.handle_exit(sig, frame)


class Command(BaseCommand):
    help = "Migrate, then serve API, sockets, console and admin; jobs run beside them without Redis."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--fd", type=int, help="serve a listening socket that was handed over instead")
        parser.add_argument(
            "--tls", metavar="[HOST]:PORT", help="serve https here as well; without HOST on every address"
        )
        parser.add_argument("--tls-certificate", metavar="FILE")
        parser.add_argument("--tls-key", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        tls = self._tls_options(options)
        call_command("migrate", interactive=False, verbosity=0)
        jobs = None
        if settings.EMBEDDED:
            from quickztna.embedded import EmbeddedJobs

            jobs = EmbeddedJobs()
            jobs.start()
        calm_collector()
        self.stdout.write(f"QuickZTNA serves {settings.PUBLIC_URL}")
        try:
            uvloop.run(serve(host=options["host"], port=options["port"], fd=options["fd"], tls=tls))
        except KeyboardInterrupt:
            pass
        finally:
            if jobs:
                jobs.stop()

    def _tls_options(self, options: dict[str, Any]) -> dict[str, Any] | None:
        if not options["tls"]:
            return None
        host, _, port = options["tls"].rpartition(":")
        if not port.isdecimal() or not options["tls_certificate"] or not options["tls_key"]:
            raise CommandError("--tls takes [HOST]:PORT, with --tls-certificate and --tls-key")
        return {
            "host": host,
            "port": int(port),
            "ssl_certfile": options["tls_certificate"],
            "ssl_keyfile": options["tls_key"],
        }


async def serve(*, host: str, port: int, fd: int | None, tls: dict[str, Any] | None) -> None:
    """Serve until SIGTERM or SIGINT; fd is a listening TCP socket, tls the place of a second one."""
    secure = (Listener(_config(**tls), leads=False),) if tls else ()
    plain = Listener(_config(host=host, port=port), secure, leads=True)
    sockets = None if fd is None else [socket.socket(fileno=fd)]
    await asyncio.gather(plain.serve(sockets=sockets), *(server.serve() for server in secure))


def _config(**place: Any) -> uvicorn.Config:
    return uvicorn.Config(
        "quickztna.asgi:application",
        **place,
        log_config=None,
        access_log=False,
        server_header=False,
        # The client's address is found by our own rule for trusted proxies.
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME,
        timeout_graceful_shutdown=5,
    )

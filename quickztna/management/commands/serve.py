"""manage.py serve: the whole control plane in one process."""

from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

LARGEST_FRAME = 1024 * 1024


class Command(BaseCommand):
    help = "Migrate, then serve API, sockets, console and admin; jobs run beside them without Redis."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        jobs = None
        if settings.EMBEDDED:
            from quickztna.embedded import EmbeddedJobs

            jobs = EmbeddedJobs()
            jobs.start()
        self.stdout.write(f"QuickZTNA serves {settings.PUBLIC_URL} on {options['host']}:{options['port']}")
        try:
            uvicorn.run(
                "quickztna.asgi:application",
                host=options["host"],
                port=options["port"],
                log_config=None,
                access_log=False,
                server_header=False,
                # The client's address is found by our own rule for trusted proxies.
                proxy_headers=False,
                ws="websockets-sansio",
                ws_max_size=LARGEST_FRAME,
                timeout_graceful_shutdown=5,
            )
        finally:
            if jobs:
                jobs.stop()

"""What a heartbeat costs the control plane, on PostgreSQL and Redis, with 100 and 10,000 machines.

Granian serves the whole product on WSGI with one worker on a core of its own; the figure is CPU
time of that worker per heartbeat. A heartbeat may do no work in proportion to the fleet, so the
cost must not grow with it.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests import services
from tests.bench.measure import cpu_seconds, finish, pin, progress

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 16
SMALL, LARGE = 100, 10_000
REQUESTS = 10_000


def populate(count: int) -> tuple[list[str], int]:
    """An organisation with `count` online machines: (node keys, netmap version)."""
    from django.utils import timezone

    from apps.auth.models import User
    from apps.auth.secrets import secret_hash
    from apps.core.actors import Actor
    from apps.machines.models import Machine
    from apps.orgs.models import Organization
    from apps.orgs.services import create_organization

    user = User.objects.create(email=f"bench{count}@example.test")
    actor = Actor(kind="user", id=user.pk, email=user.email, role="owner")
    org = create_organization(user=user, actor=actor, name=f"Bench {count}", slug=f"bench{count}")
    keys = [f"nk_live_{secrets.token_hex(32)}" for _ in range(count)]
    now = timezone.now()
    Machine.all_orgs.bulk_create(
        [
            Machine(
                org=org,
                name=f"machine-{number}",
                os="linux",
                version="0.1.0",
                tailnet_ip=f"100.{64 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}",
                tailnet_ipv6=f"fd00::{number + 1:x}",
                public_key=base64.b64encode(secrets.token_bytes(32)).decode(),
                node_key_hash=secret_hash(key),
                key_created_at=now,
                status="online",
                last_seen=now,
                approved_at=now,
                public_address="127.0.0.1",
            )
            for number, key in enumerate(keys)
        ],
        batch_size=1000,
    )
    return keys, Organization.objects.get(pk=org.pk).netmap_version


@contextlib.contextmanager
def control_plane(port: int) -> Iterator[list[int]]:
    """Process ids of a Granian with one worker, pinned to the second core."""
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "granian"), "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            # One thread: more only wait for each other in the interpreter.
            *("--blocking-threads", "1", "--no-ws", "--log-level", "warning"),
            "quickztna.wsgi:application",
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_well(port)
        family = [process.pid, *_children(process.pid)]
        for pid in family:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                pin(int(thread.name), 1)
        yield family
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_well(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    raise SystemExit("the control plane did not become healthy")


def _children(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for child in found for pid in (child, *_children(int(child)))]


class Load:
    """Sends heartbeats over kept-alive connections and checks every answer."""

    def __init__(self, port: int, version: int) -> None:
        self._port = port
        self._body = json.dumps({"status": "online", "netmap_version": version, "version": "0.1.0"}).encode()
        self.latencies: list[float] = []

    async def run(self, keys: Sequence[str]) -> None:
        """One heartbeat for each key, in order, shared by all connections."""
        queue = iter(keys)
        await asyncio.gather(*(self._connection(queue) for _ in range(CONNECTIONS)))

    async def _connection(self, queue: Iterator[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for key in queue:
            head = (
                "POST /api/machine-heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(self._body)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + self._body)
            answer = await self._answer(reader)
            self.latencies.append(time.perf_counter() - began)
            if not (answer["success"] and answer["data"].get("same")):
                raise SystemExit(f"unexpected answer to a heartbeat: {answer}")
        writer.close()
        await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> dict:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length:")[2].partition("\r\n")[0]
        if length:
            return json.loads(await reader.readexactly(int(length)))
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return json.loads(body)


def measure(port: int, family: list[int], keys: list[str], version: int) -> tuple[float, float]:
    """(CPU seconds per heartbeat, median latency in ms) once every machine is known."""
    load = Load(port, version)
    progress(f"{len(keys)} machines: first heartbeat of each")
    asyncio.run(load.run(keys))
    load.latencies.clear()
    progress(f"{len(keys)} machines: {REQUESTS} heartbeats")
    before = sum(map(cpu_seconds, family))
    asyncio.run(load.run(keys * (REQUESTS // len(keys))))
    spent = sum(map(cpu_seconds, family)) - before
    ordered = sorted(load.latencies)
    return spent / len(ordered), ordered[len(ordered) // 2] * 1000


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench heartbeat", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.parse_args()
    costs, medians = {}, {}
    with (
        tempfile.TemporaryDirectory() as data,
        services.postgres() as database_url,
        services.redis() as redis_url,
    ):
        os.environ |= {
            "QZTNA_DATA_DIR": data,
            "QZTNA_DATABASE_URL": database_url,
            "QZTNA_REDIS_URL": redis_url,
            "DJANGO_SETTINGS_MODULE": "quickztna.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        pin(0, 0)
        port = services.free_port()
        fleets = {}
        for count in (SMALL, LARGE):
            progress(f"making {count} machines")
            fleets[count] = populate(count)
        with control_plane(port) as family:
            for count, (keys, version) in fleets.items():
                costs[count], medians[count] = measure(port, family, keys, version)
    figures = {
        "machines": LARGE,
        "per_core_per_s": round(1 / costs[LARGE]),
        "per_core_per_s_100": round(1 / costs[SMALL]),
        "cpu_us": round(costs[LARGE] * 1e6, 1),
        "p50_ms": round(medians[LARGE], 2),
        "requests": REQUESTS,
    }
    finish("heartbeat", figures, {"cost_10000_vs_100": round(costs[LARGE] / costs[SMALL], 3)})
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A control plane on PostgreSQL and Redis in a process of its own, and a thousand agents' real links.

The links are those of the product (`agent.io.link`): its handshake, its back-off, its jitter. Behind
each is no host, only the version of the map that it holds.
"""

import asyncio
import base64
import contextlib
import logging
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.io.control import tls_context
from agent.io.link import AgentLink
from tests import services
from tests.bench.measure import pin
from wire.binary import encode_key
from wire.connections import FilterTrial
from wire.identity import agent_auth
from wire.netmap import Netmap, NetmapDelta

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
# Connections are opened no faster than this while the farm is filled.
OPENING_PER_SECOND = 100
GROUPS = 20


class ControlPlane:
    """`manage.py serve` on loopback, on the second core; may be stopped and started again."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = services.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, **environment, "QZTNA_PUBLIC_URL": self.url}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it is well."""
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(self.port)],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        pin(self._process.pid, 1)

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/health", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise SystemExit("the control plane did not become healthy")

    def stop(self) -> None:
        """As an operator would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


@contextlib.contextmanager
def control_plane(data: str) -> Iterator[ControlPlane]:
    """A migrated control plane, with Django set up in this process on the same database."""
    with services.postgres() as database_url, services.redis() as redis_url:
        environment = {
            "QZTNA_DATA_DIR": data,
            "QZTNA_DATABASE_URL": database_url,
            "QZTNA_REDIS_URL": redis_url,
            "DJANGO_SETTINGS_MODULE": "quickztna.settings",
        }
        os.environ |= environment
        import django
        from django.core.management import call_command

        django.setup()
        logging.disable(logging.WARNING)
        call_command("migrate", interactive=False, verbosity=0)
        pin(0, 0)
        running = ControlPlane(environment)
        running.start()
        try:
            running.wait()
            yield running
        finally:
            running.stop()


class Enrolled:
    """A machine of the farm: what the database knows of it, and its private identity."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"machine-{number}"
        self.identity = Ed25519PrivateKey.generate()
        self.node_key = f"nk_live_{secrets.token_hex(32)}"
        self.machine_id = ""


def organisation(slug: str = "farm") -> Any:
    """A new one with an owner who never signs in."""
    from apps.auth.models import User
    from apps.core.actors import Actor
    from apps.orgs.services import create_organization

    user = User.objects.create(email=f"{slug}@example.test")
    actor = Actor(kind="user", id=user.pk, email=user.email, role="owner")
    return create_organization(user=user, actor=actor, name=slug.title(), slug=slug)


def populate(org_id: Any, count: int) -> list[Enrolled]:
    """`count` online machines with keys of the right shape, tagged group0 to group19 in turn."""
    from django.utils import timezone

    from apps.auth.secrets import secret_hash
    from apps.machines.models import Machine

    machines, now = [Enrolled(number) for number in range(count)], timezone.now()

    def key(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).decode()

    rows = [
        Machine(
            org_id=org_id,
            name=machine.name,
            os="linux",
            version="0.1.0",
            # The first addresses are left to machines that enrol.
            tailnet_ip=f"100.65.{machine.number // 250}.{machine.number % 250 + 1}",
            tailnet_ipv6=f"fd00::1:{machine.number + 1:x}",
            public_key=key(32),
            disco_public_key=key(32),
            mlkem_public_key=key(1184),
            identity_public_key=encode_key(machine.identity.public_key().public_bytes_raw()),
            identity_signature=key(64),
            node_key_hash=secret_hash(machine.node_key),
            key_created_at=now,
            status="online",
            last_seen=now,
            approved_at=now,
            public_address="127.0.0.1",
            tags=[f"group{machine.number % GROUPS}"],
        )
        for machine in machines
    ]
    Machine.all_orgs.bulk_create(rows, batch_size=500)
    for machine, row in zip(machines, rows, strict=True):
        machine.machine_id = str(row.pk)
    return machines


class FarmAgent:
    """One agent: its link, the version that it holds, and when it last learned that it is up to date."""

    def __init__(self, machine: Enrolled, url: str, changed: Callable[["FarmAgent"], None]) -> None:
        self.machine, self._changed = machine, changed
        self.version: int | None = None
        self.ready_at = self.current_at = 0.0
        self.refusals: list[str] = []
        self.maps = self.deltas = 0
        self.link = AgentLink(
            url=url,
            org_id="",
            machine_id=machine.machine_id,
            node_key=machine.node_key,
            sign=self._sign,
            tls=_TLS,
            mark=None,
            events=self,
            heartbeat=lambda: {"status": "online", "version": "0.1.0", "netmap_version": self.version},
            netmap_version=lambda: self.version,
        )

    def _sign(self, challenge: str, host: str, session_id: str) -> str:
        message = agent_auth(
            challenge=challenge, host=host, session_id=session_id, machine_id=self.machine.machine_id
        )
        return encode_key(self.machine.identity.sign(message))

    def on_link(self, connected: bool, reason: str | None) -> None:
        """The link came or went."""
        if not connected:
            self.current_at = 0.0

    def on_ready(self, status: str, signing_keys: Any) -> None:
        """The control plane accepted us."""
        self.ready_at = time.monotonic()

    def on_netmap(self, netmap: Netmap) -> None:
        """A whole map."""
        self.maps += 1
        self._take(netmap.version)

    def on_delta(self, delta: NetmapDelta) -> bool:
        """A change."""
        if delta.from_version != self.version:
            return False
        self.deltas += 1
        self._take(delta.to_version)
        return True

    def on_relay_token(self, token: str) -> None:
        """Comes with a map, or in place of one that is still good."""
        if self.version is not None:
            self._take(self.version)

    def on_nudge(self, what: str, peer_machine_id: str | None) -> None:
        """Nothing waits for us."""

    def on_heartbeat_taken(self, heartbeat: dict[str, Any]) -> None:
        """Not needed here."""

    def on_count_cut(self, question: str, trial: FilterTrial) -> None:
        """No connection is open here."""

    def on_explained(self, nonce: str, statement: Any) -> bool:
        """Maps are taken as they come."""
        return False

    def settled(self) -> bool:
        """At once."""
        return True

    def on_time(self, server_time: float) -> None:
        """Not needed here."""

    def failures(self) -> list[str]:
        """There is no host that could fail."""
        return []

    def on_refused(self, code: str, message: str, final: bool, proof: Mapping[str, Any]) -> None:
        """Counted: there should be none."""
        self.refusals.append(code)

    def _take(self, version: int) -> None:
        self.version, self.current_at = version, time.monotonic()
        self._changed(self)


_TLS = tls_context(None)


@contextlib.asynccontextmanager
async def farm(
    machines: list[Enrolled], url: str, changed: Callable[[FarmAgent], None] = lambda agent: None
) -> AsyncIterator[list[FarmAgent]]:
    """The agents, connected one after another and each with its map."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    agents = [FarmAgent(machine, url, changed) for machine in machines]
    tasks = []
    try:
        for agent in agents:
            tasks.append(asyncio.create_task(agent.link.run()))
            await asyncio.sleep(1 / OPENING_PER_SECOND)
        await all_current(agents, 300)
        yield agents
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_current(agents: list[FarmAgent], seconds: float) -> None:
    """Until every agent is connected and has its map."""
    deadline = time.monotonic() + seconds
    while missing := [agent for agent in agents if not (agent.link.connected and agent.current_at)]:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(missing)} of {len(agents)} agents have no map after {seconds:.0f} s")
        await asyncio.sleep(0.05)

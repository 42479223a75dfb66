"""A control plane in a process of its own, and agents that speak by real WebSockets."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from apps.machines.tests.agents import Keys, b64
from tests.services import free_port
from wire import control
from wire.control import FromAgent, FromServer
from wire.identity import agent_auth
from wire.netmap import Netmap, NetmapDelta

ROOT = Path(__file__).resolve().parents[3]


class Site:
    """A control plane in embedded mode with one organisation and its administrator."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.environment = environment
        self.host = f"127.0.0.1:{port}"
        self.http = httpx.Client(base_url=f"http://{self.host}", timeout=20, trust_env=False)

    def call(self, path: str, token: str | None, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.post(path, json=body, headers=headers).json()
        assert answer["success"], answer
        return answer["data"]

    def prepare(self) -> None:
        account = {
            "email": f"alice-{secrets.token_hex(4)}@example.com",
            "password": "correct horse battery staple",
        }
        self.token = self.call("/api/auth/signup", None, **account, full_name="Alice")["token"]
        self.org_id = self.call("/api/org-management", self.token, action="create", name="Live")["id"]
        key = {"action": "create_auth_key", "org_id": self.org_id, "name": "key", "reusable": True}
        self.key = self.call("/api/key-management", self.token, **key)["key"]

    def enrol(self, name: str) -> "LiveAgent":
        keys = Keys()
        data = self.call(
            "/api/register-machine", None, auth_key=self.key, name=name, os="linux", **keys.fields()
        )
        return LiveAgent(self, data["machine_id"], data["node_key"], keys)

    def admin(self, action: str, agent: "LiveAgent", **values: Any) -> Any:
        return self.call("/api/machine-admin", self.token, action=action, machine_id=agent.id, **values)


class LiveAgent:
    """An agent that keeps its map by what the socket says."""

    def __init__(self, site: Site, machine_id: str, node_key: str, keys: Keys) -> None:
        self.site, self.id, self.node_key, self.keys = site, machine_id, node_key, keys
        self.map: Netmap | None = None

    @asynccontextmanager
    async def socket(
        self, *, forge: bool = False, held: int | None = None, capabilities: tuple[str, ...] = ()
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.node_key}"}
        url = f"ws://{self.site.host}{control.PATH}"
        async with connect(
            url, additional_headers=headers, subprotocols=[control.SUBPROTOCOL], proxy=None
        ) as self.ws:
            hello = await self.until(FromServer.HELLO)
            signer = Keys() if forge else self.keys
            message = agent_auth(
                challenge=hello["challenge"],
                host=self.site.host,
                session_id=hello["session_id"],
                machine_id=self.id,
            )
            await self.say(
                FromAgent.AUTH,
                machine_id=self.id,
                signature=b64(signer.identity.sign(message)),
                netmap_version=held,
                version="0.1.0",
                capabilities=capabilities,
            )
            yield self

    async def say(self, kind: FromAgent, /, **body: Any) -> None:
        await self.ws.send(control.encode(kind, **body))

    async def hear(self) -> tuple[FromServer, dict[str, Any]]:
        kind, body = control.parse_from_server(str(await self.ws.recv()))
        if kind is FromServer.NETMAP:
            self.map = Netmap.from_json(body["netmap"])
        elif kind is FromServer.DELTA:
            self.map = self.map.apply(NetmapDelta.from_json(body["delta"]))
        return kind, body

    async def until(self, wanted: FromServer, fits: Any = lambda body: True) -> dict[str, Any]:
        """The next frame of a kind that fits; everything else is taken in on the way."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            kind, body = await self.hear()
            if kind is wanted and fits(body):
                return body
        raise AssertionError(f"no {wanted}")

    async def until_map(self, fits: Any) -> float:
        """Seconds until the map fits."""
        began = time.monotonic()
        while not (self.map and fits(self.map)):
            await self.hear()
        return time.monotonic() - began


async def drained(ws: Any) -> None:
    """Read until the server closes."""
    with suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(ws.recv(), 10)


@contextmanager
def serving(data: Path, *, shared: bool = False) -> Iterator[Site]:
    """shared: with the database and the Redis of the tests instead of embedded."""
    port = free_port()
    environment = {
        **os.environ,
        "QZTNA_DATA_DIR": str(data),
        "QZTNA_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    for name in () if shared else ("QZTNA_DATABASE_URL", "QZTNA_REDIS_URL"):
        environment.pop(name, None)
    with open(data / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    site = Site(port, environment)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                if site.http.get("/api/health").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError((data / "log").read_text()[-2000:])
            time.sleep(0.2)
        site.prepare()
        yield site
    finally:
        site.http.close()
        process.terminate()
        process.wait(15)

"""What a relay says of its clients, and a real control plane that hears it."""

import asyncio
import os
import subprocess
import sys
import time

import httpx
import pytest

from relay import reporting
from relay.config import ConfigError, from_environment
from relay.reporting import Reporter
from tests.e2e.conftest import ROOT
from tests.relay.live import Client
from tests.relay.test_cut_live import REGION, organisation  # noqa: F401 the fixture
from tests.relay.test_process import Process, process  # noqa: F401 the fixture
from wire.binary import encode_key


def told(bodies):
    """(key, status) of every session of some reports."""
    return sorted((each["key"], each["status"]) for body in bodies for each in body["sessions"])


def names(clients, status="active"):
    return sorted((encode_key(client.key), status) for client in clients)


async def test_everybody_is_told_once_and_then_who_came_or_went(relay, monkeypatch):
    monkeypatch.setattr(reporting, "MAX_REPORTED", 2)
    clients = [await relay.client().up() for _ in range(5)]
    reporter = Reporter(relay.server, "test1")
    first = list(reporter.bodies())
    assert [len(body["sessions"]) for body in first] == [2, 2, 1]
    assert told(first) == names(clients)
    assert {each["public_ip"] for body in first for each in body["sessions"]} == {"127.0.0.1"}
    assert {each["org_id"] for body in first for each in body["sessions"]} == {"org-a"}
    assert first[0]["load"]["clients"] == 5
    assert told(reporter.bodies()) == []
    clients[0].task.cancel()
    await asyncio.gather(clients[0].task, return_exceptions=True)
    sixth = await relay.client().up()
    assert told(reporter.bodies()) == sorted(names([clients[0]], "ended") + names([sixth]))
    reporter.failed()
    assert told(reporter.bodies()) == names([*clients[1:], sixth])
    # Numbers of connections are not taken for those of another process.
    other = next(Reporter(relay.server, "test1").bodies())["sessions"][0]["connection"]
    assert other.partition("-")[0] != first[0]["sessions"][0]["connection"].partition("-")[0]


async def test_a_burst_is_reported_once_it_is_over_and_an_endless_one_all_the_same(relay, monkeypatch):
    monkeypatch.setattr(reporting, "LONGEST_BURST_SECONDS", 3.0)
    reporter = Reporter(relay.server, "test1")
    list(reporter.bodies())
    waits = asyncio.create_task(reporter.due())
    for _ in range(4):
        await relay.client().up()
        assert not waits.done()
        await asyncio.sleep(0.4)
    await asyncio.wait_for(waits, 2 * reporting.QUIET_SECONDS + 1)
    list(reporter.bodies())

    async def come():
        while True:
            await relay.client().up()
            await asyncio.sleep(0.2)

    coming = asyncio.create_task(come())
    began = time.monotonic()
    await asyncio.wait_for(reporter.due(), 10)
    assert time.monotonic() - began > 2
    coming.cancel()


async def test_everybody_is_told_again_after_a_while_whatever_happens_meanwhile(relay, monkeypatch):
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(reporting, "EVERY_SECONDS", 0.6)
    reporter = Reporter(relay.server, "test1")
    clients, again = [await relay.client().up()], 0
    list(reporter.bodies())
    async with asyncio.timeout(5):
        while not again:
            clients.append(await relay.client().up())
            await reporter.due()
            again = names([clients[0]])[0] in told(reporter.bodies())


async def test_only_who_is_named_is_dropped(relay):
    alpha, beta = await relay.client().up(), await relay.client().up()
    reporter = Reporter(relay.server, "test1")
    (body,) = reporter.bodies()
    # Nobody is dropped whom this report did not name.
    reporter.answered({**body, "sessions": []}, [encode_key(alpha.key)])
    reporter.answered(body, [encode_key(bytes(32)), encode_key(alpha.key)])
    assert (await alpha.state())[0] is False
    await beta.up_and_running()
    assert beta.states.empty()


@pytest.mark.parametrize("jwks", ["jwks.json", "http://control.example.com/jwks.json"])
def test_a_key_is_sent_only_where_nobody_listens_in(tmp_path, jwks):
    (tmp_path / "key").write_text("rk_live_x")
    settings = Process(tmp_path).settings | {"QZRELAY_REPORT_TOKEN_FILE": str(tmp_path / "key")}
    with pytest.raises(ConfigError, match="QZRELAY_JWKS that is an https URL"):
        from_environment({**settings, "QZRELAY_JWKS": jwks})
    given = from_environment({**settings, "QZRELAY_JWKS": "https://control.example.com/jwks.json"})
    assert given.report_token_file == tmp_path / "key"
    with pytest.raises(ConfigError, match="QZRELAY_REPORT_TOKEN_FILE"):
        from_environment({**settings, "QZRELAY_REPORT_TOKEN_FILE": str(tmp_path / "missing")})


class Reporting:
    """A relay of the organisation's control plane, and what its members see of it."""

    def __init__(self, organisation, process):  # noqa: F811
        self.organisation, self.process = organisation, process
        process.control = organisation
        self.key_file = process.directory / "report.key"
        self.settings = {"QZRELAY_JWKS": f"{organisation.plane.url}/.well-known/jwks.json"}

    def new_key(self):
        plane = self.organisation.plane
        made = subprocess.run(
            [sys.executable, "manage.py", "relay_key", REGION],
            cwd=ROOT,
            env={**os.environ, "QZTNA_DATA_DIR": str(plane.directory), "QZTNA_PUBLIC_URL": plane.url},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return made.stdout.strip()

    async def start(self, *, reports=True):
        self.key_file.write_text(await asyncio.to_thread(self.new_key))
        more = {"QZRELAY_REPORT_TOKEN_FILE": str(self.key_file)} if reports else {}
        await self.process.start(**self.settings, **more).ready()
        return self

    async def seen(self):
        """{machine id: status} of the clients' machines."""
        org = self.organisation
        async with httpx.AsyncClient(base_url=org.plane.url) as http:
            query = {"org_id": org.id, "region_code": f"eq.{REGION}"}
            answer = await http.get(
                "/api/db/relay_sessions", params=query, headers={"Authorization": f"Bearer {org.token_}"}
            )
        return {row["machine_id"]: row["status"] for row in answer.json()["data"]}

    def machine(self, client):
        return self.organisation.machines[client.key][0]

    async def until(self, expected):
        """Wait until each of these machines is seen so."""
        async with asyncio.timeout(15):
            while not expected.items() <= (await self.seen()).items():
                await asyncio.sleep(0.2)


@pytest.fixture
async def reporting_relay(process, organisation):  # noqa: F811
    return Reporting(organisation, process)


async def test_members_see_who_came_and_went_within_seconds(reporting_relay):
    running = await reporting_relay.start()
    began = time.monotonic()
    alpha, beta = [await Client(running.process).up() for _ in range(2)]
    await running.until({running.machine(alpha): "active", running.machine(beta): "active"})
    assert time.monotonic() - began < reporting.EVERY_SECONDS / 2, "a burst is not waited out"
    alpha.task.cancel()
    await asyncio.gather(alpha.task, return_exceptions=True)
    await running.until({running.machine(alpha): "ended", running.machine(beta): "active"})
    assert running.key_file.read_text() not in (running.process.directory / "log").read_text()


async def test_without_the_setting_nothing_is_reported(reporting_relay):
    running = await reporting_relay.start(reports=False)
    client = await Client(running.process).up()
    await asyncio.sleep(3)
    assert running.machine(client) not in await running.seen()


async def test_a_wrong_key_disturbs_nobody_and_is_told_in_the_log(reporting_relay):
    running = await reporting_relay.start()
    running.process.process.kill()
    running.process.process.wait()
    running.key_file.write_text("rk_live_" + "0" * 64)
    more = {"QZRELAY_REPORT_TOKEN_FILE": str(running.key_file)}
    await running.process.start(**running.settings, **more).ready()
    client = await Client(running.process).up()
    await client.up_and_running()
    log = running.process.directory / "log"
    async with asyncio.timeout(10):
        while "could not be reported" not in log.read_text():
            await asyncio.sleep(0.1)
    assert running.key_file.read_text() not in log.read_text()
    assert running.machine(client) not in await running.seen()

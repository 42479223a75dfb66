"""What is said of relays that answer, that do not, and that nobody may make us call."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import call_command
from prometheus_client import REGISTRY

from apps.relays import probe, tasks
from apps.relays.models import BuiltinRegion, DerpRegion
from apps.relays.probe import Stranger
from tests.cast import ApiClient
from tests.lab.pki import Authority
from tests.services import free_port
from wire.netmap import RelayRegion

NOBODY = {"region_code": "gone", "region_name": "Gone", "hostname": "127.0.0.1"}


@pytest.fixture
def gone(db):
    """One built-in region, where nothing listens."""
    BuiltinRegion.objects.all().delete()
    BuiltinRegion.objects.create(**NOBODY, derp_port=free_port())


def test_a_relay_that_does_not_answer_is_down(gone):
    answer = ApiClient().get("/api/derp-health").json()["data"]
    assert answer["status"] == "down"
    assert [(line["code"], line["healthy"]) for line in answer["regions"]] == [("gone", False)]


def test_members_see_their_regions_and_strangers_none(cast, gone):
    body = {"org_id": str(cast.org_a.pk)}
    answer = cast.bob.client.call("/api/derp-health", body).json()["data"]
    assert (answer["healthy"], answer["degraded"], answer["derp_server"]) == (False, ["gone"], "127.0.0.1")
    assert cast.charlie.client.call("/api/derp-health", body).status_code == 403
    assert cast.bob.client.call("/api/derp-health", {}).json()["error"]["code"] == "MISSING_FIELDS"


def test_an_organisations_region_inside_our_network_is_never_called(cast, monkeypatch):
    DerpRegion.objects.create_in(cast.org_a, **NOBODY, derp_port=free_port())
    called = []
    monkeypatch.setattr(probe, "RelayClient", lambda **options: called.append(options))
    monkeypatch.setattr(probe, "_ask_stun", lambda *place: called.append(place))
    body = {"org_id": str(cast.org_a.pk)}
    assert cast.bob.client.call("/api/derp-health", body).json()["data"]["status"] == "down"
    assert called == []


class Relay:
    """`python -m relay` with the control plane's published keys, on loopback."""

    def __init__(self, directory, *, stun=True):
        self.stun = stun
        authority = Authority(directory)
        self.ca_file = str(authority.ca_file)
        certificate, key = authority.issue("relay.test", "127.0.0.1")
        (directory / "jwks.json").write_bytes(ApiClient().get("/.well-known/jwks.json").content)
        self.port, self.stun_port = free_port(), free_port()
        environment = {
            "QZRELAY_REGION": "test1",
            "QZRELAY_CERTIFICATE": str(certificate),
            "QZRELAY_PRIVATE_KEY": str(key),
            "QZRELAY_JWKS": str(directory / "jwks.json"),
            "QZRELAY_LISTEN": "127.0.0.1",
            "QZRELAY_PORT": str(self.port),
            "QZRELAY_STUN_PORT": str(self.stun_port if stun else 0),
            "QZRELAY_STUN_WORKERS": "1",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "relay"], env={**os.environ, **environment})

    def region(self, **changes):
        values = {
            **{"region_code": "test1", "region_name": "Test", "hostname": "relay.test"},
            **{"ipv4": "127.0.0.1", "derp_port": self.port, "stun_port": self.stun_port},
        }
        return RelayRegion(**values | changes)

    def visit(self, ca_file=None, **changes):
        region = self.region(**changes)
        return probe.visit(region, (Stranger(region), Stranger(region)), private=True, ca_file=ca_file)

    def visited(self, **changes):
        """The first visit that found somebody listening."""
        for _ in range(60):
            found = self.visit(self.ca_file, **changes)
            starting = "Connect call" in str(found.reason) or (self.stun and found.reason == "no STUN server")
            if not starting:
                return found
            time.sleep(0.2)
        raise AssertionError(found)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(15)


@pytest.fixture
def relay(db, tmp_path):
    relay = Relay(tmp_path)
    yield relay
    relay.end(signal.SIGKILL)


def test_a_visit_goes_through_tls_relay_and_stun(relay):
    found = relay.visited()
    assert (found.healthy, found.reason, found.tls_group) == (True, None, "X25519MLKEM768")
    assert 0 < found.latency_ms < 5000
    # A relay that takes no token of ours, or is another one than it says, is not what it should be.
    assert relay.visited(region_code="test2").reason == "refused: INVALID_TOKEN"
    assert not relay.visited(hostname="another.test").healthy
    assert not relay.visit().healthy
    relay.end()
    assert not relay.visit(relay.ca_file).healthy


def test_a_relay_without_stun_is_not_healthy(db, tmp_path):
    relay = Relay(tmp_path, stun=False)
    try:
        assert relay.visited().reason == "no STUN server"
    finally:
        relay.end(signal.SIGKILL)


def run_job(settings, *, embedded=False):
    """As a worker does that stands by itself, or as an embedded server's."""
    suite, settings.EMBEDDED = settings.EMBEDDED, embedded
    try:
        return tasks.visit_relays()
    finally:
        settings.EMBEDDED = suite


def test_the_job_fills_what_people_and_machines_ask_for(cast, relay, settings, capsys):
    relay.visited()
    settings.RELAY_CA_FILE = relay.ca_file
    BuiltinRegion.objects.all().delete()
    place = {"hostname": "relay.test", "ipv4": "127.0.0.1"}
    ports = {"derp_port": relay.port, "stun_port": relay.stun_port}
    BuiltinRegion.objects.create(region_code="test1", region_name="Test", **place, **ports)
    DerpRegion.objects.create_in(cast.org_b, **{**NOBODY, "region_code": "own1"}, derp_port=free_port())
    assert run_job(settings, embedded=True) == {}
    assert run_job(settings) == {"visited": 2, "unhealthy": 1}
    relay.end()
    # Both ask within the time for which a visit is remembered.
    assert ApiClient().get("/api/derp-health").json()["data"]["status"] == "ok"
    answer = cast.bob.client.call("/api/derp-health", {"org_id": str(cast.org_a.pk)}).json()["data"]
    (line,) = answer["region_health"]
    assert (line["healthy"], line["tls_group"]) == (True, "X25519MLKEM768")
    labels = {"region": "test1"}
    assert REGISTRY.get_sample_value("quickztna_relay_region_healthy", labels) == 1
    call_command("relay_key", "test1")
    client = ApiClient(capsys.readouterr().out.strip())
    load = {"clients": 7, "connections": 8, "frames": 1, "bytes": 9, "dropped": 0}
    body = {"action": "report", "region": "test1", "process": "p", "sessions": [], "load": load}
    assert client.call("/api/derp-relay", body).status_code == 200
    assert run_job(settings) == {"visited": 2, "unhealthy": 2}
    assert REGISTRY.get_sample_value("quickztna_relay_region_clients", {"region": "test1"}) == 7
    assert REGISTRY.get_sample_value("quickztna_relay_region_healthy", labels) == 0
    assert REGISTRY.get_sample_value("quickztna_relay_region_healthy", {"region": "own1"}) is None

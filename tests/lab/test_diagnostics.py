"""What the diagnostic commands say, against what the lab knows to be true."""

import base64
import configparser
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.lab.demo import enrol, settled
from tests.lab.net import LabError
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def machines(running):
    machines = enrol(running, running.sign_up("Lab"))
    wait_until(lambda: settled(machines), "a hybrid path between every pair", 60, pause=0.5)
    return machines


def netcheck(machine):
    return json.loads(machine.ztna("netcheck", "--json"))


def test_netcheck_sees_the_nat_and_the_relay(machines):
    alpha = machines["alpha"]
    found = netcheck(alpha)
    assert (found["udp"], found["stun_status"], found["hairpinning"]) == (True, "ok", False)
    assert found["public_ip"] == found["ipv4"] == alpha.host.router.address
    assert found["nearest_derp"] == alpha.json("status")["derp_region"]
    assert found["derp_tls"]["ok"]
    assert found["derp_tls"]["version"] == "TLSv1.3"
    text = alpha.ztna("netcheck")
    assert found["verdict"] in text
    assert found["nearest_derp"] in text


def test_netcheck_needs_neither_login_nor_daemon(running):
    stranger = running.machine(running.lab.public_host("stranger"))
    found = netcheck(stranger)
    assert (found["udp"], found["nat_type"], found["hairpinning"]) == (True, "none", None)
    assert found["public_ip"] == stranger.host.address


def test_netcheck_without_udp_is_no_failure(machines):
    gamma = machines["gamma"]
    gamma.host.nft(
        "table ip qznoudp { chain o { type filter hook output priority 0; udp dport 3478 drop; }; }"
    )
    try:
        found = netcheck(gamma)
    finally:
        gamma.host.run("nft", "delete", "table", "ip", "qznoudp")
    assert (found["udp"], found["stun_status"], found["derp_tls"]["ok"]) == (False, "failed", True)


def test_netcheck_without_a_network_fails_in_words(running):
    lonely = running.machine(running.lab.public_host("lonely"))
    lonely.host.run("ip", "link", "set", "eth0", "down")
    command = [*lonely.argv, "netcheck"]
    with pytest.raises(LabError):
        lonely.host.run(*command, env=lonely.environment, timeout=12)
    output = lonely.host.run(*command, env=lonely.environment, check=False, timeout=12)
    assert "No network" in output
    assert "Traceback" not in output


def test_debug_and_metrics_tell_what_runs(machines, tmp_path):
    alpha = machines["alpha"]
    derp = alpha.json("debug", "derp")
    assert derp["connected"]
    assert derp["home_region"] == alpha.json("status")["derp_region"]
    assert {peer["name"]: peer["path"] for peer in derp["peers"]}["beta"] == "direct"
    dump = alpha.json("debug", "goroutines")
    assert any(thread["name"] == "MainThread" and thread["stack"] for thread in dump["threads"])
    assert any("run" in task["stack"][0] for task in dump["tasks"] if task["stack"])
    runtime = alpha.json("debug", "metrics")
    assert runtime["backend"] == "wireguard-go"
    assert runtime["peak_memory_bytes"] > 10_000_000
    text = alpha.ztna("metrics", "print")
    assert 'ztna_peer_count{path="direct"} 1' in text
    assert "ztna_up 1" in text
    file = tmp_path / "ztna.prom"
    alpha.ztna("metrics", "write", str(file))
    assert "ztna_netmap_age_seconds" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["ztna.prom"]


def test_an_exported_file_is_this_machine_s_tunnel(machines):
    alpha = machines["alpha"]
    text = alpha.ztna("wg-config", "export")
    parser = configparser.ConfigParser(strict=False, comment_prefixes="#")
    interface, *peers = text.split("[Peer]")
    parser.read_string(interface)
    private = base64.b64decode(parser["Interface"]["PrivateKey"])
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    status = alpha.json("status")
    assert base64.b64encode(public).decode() == status["public_key"]
    assert f"{status['tailnet_ip']}/32" in parser["Interface"]["Address"]
    assert parser["Interface"]["DNS"] == "100.100.100.100"
    assert len(peers) == 2
    assert all("PersistentKeepalive = 25" in peer for peer in peers)
    document = alpha.json("wg-config", "export")
    assert document["Config"].split("[Peer]")[0] == interface

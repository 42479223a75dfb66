"""The host of a running agent: names resolve, and whatever ends the agent, the host is as it was."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.lab.demo import enrol, settled
from tests.lab.net import NETNS_FILES, RESOLV_CONF
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

RESTORED_SECONDS = 5


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        machines = enrol(running, running.sign_up("Lab"))
        wait_until(lambda: settled(machines), "a hybrid path between every pair", 60, pause=0.5)
        yield machines


def resolv_conf(machine):
    return (NETNS_FILES / machine.host.namespace / "resolv.conf").read_text()


def host_state(machine):
    """Everything of the host that an agent may touch."""
    run = machine.host.run
    keys = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.src_valid_mark")
    return {
        "resolv.conf": resolv_conf(machine),
        "tables": run("nft", "list", "tables"),
        "rules": run("ip", "rule") + run("ip", "-6", "rule"),
        "routes": run("ip", "route", "show", "table", "all", "type", "unicast"),
        "links": sorted(line.split()[0] for line in run("ip", "-br", "link").splitlines()),
        "sysctl": run("sysctl", *keys),
    }


def descendants(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [grand for child in children for grand in descendants(child)]


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.fixture
def idle(network):
    """gamma, stopped; and its host as it was before any agent."""
    gamma = network["gamma"]
    gamma.stop()
    before = host_state(gamma)
    assert before["resolv.conf"] == RESOLV_CONF
    yield gamma, before
    gamma.stop()
    if gamma.process.poll() is None:
        gamma.process.kill()
    gamma.up()
    wait_until(lambda: settled(network), "gamma back", 60, pause=0.5)


def ready(machine):
    return "100.100.100.100" in resolv_conf(machine)


def test_programs_of_the_host_resolve_names_of_the_network(network):
    alpha, beta = network["alpha"], network["beta"]
    wait_until(lambda: ready(alpha), "MagicDNS on alpha", 10)
    address = beta.ztna("ip").strip()
    full = beta.json("status")["machine"]["magicdns_name"]
    for name in (full, "beta", full.upper()):
        assert alpha.host.run("getent", "ahostsv4", name).split()[0] == address
    assert alpha.host.run("dig", "+short", "-x", address).strip() == f"{full}."
    assert alpha.host.run("dig", "+tcp", "+short", full).strip() == address
    unknown = alpha.host.run("dig", f"nobody.{full.partition('.')[2]}")
    assert "NXDOMAIN" in unknown
    assert "1 received" in alpha.host.run("ping", "-c1", "-W2", "beta")
    found = alpha.json("dns", "query", "beta")
    assert (found["addresses"], found["source"]) == ([address], "magicdns")
    status = alpha.json("dns", "status")
    assert (status["installed"], status["problem"]) == ("file", None)
    assert status["counters"]["tailnet"] > 4


def test_magicdns_can_be_switched_off_and_on(network):
    alpha = network["alpha"]
    wait_until(lambda: ready(alpha), "MagicDNS on alpha", 10)
    alpha.ztna("set", "--accept-dns=false")
    wait_until(lambda: resolv_conf(alpha) == RESOLV_CONF, "the host's own resolver", 5)
    alpha.ztna("set", "--accept-dns")
    wait_until(lambda: ready(alpha), "MagicDNS again", 5)


def test_a_resolver_changed_behind_our_back_is_ours_again_and_given_back_as_changed(idle):
    gamma, before = idle
    gamma.up()
    wait_until(lambda: ready(gamma), "MagicDNS", 20)
    path = NETNS_FILES / gamma.host.namespace / "resolv.conf"
    path.write_text("nameserver 192.0.2.99\n")
    wait_until(lambda: ready(gamma), "MagicDNS again", 6)
    gamma.stop()
    assert resolv_conf(gamma) == "nameserver 192.0.2.99\n"
    path.write_text(before["resolv.conf"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_host_is_as_before_when_the_agent_ends(idle, number):
    gamma, before = idle
    gamma.up()
    wait_until(lambda: ready(gamma), "MagicDNS", 20)
    assert host_state(gamma) != before
    gamma.process.send_signal(number)
    gamma.process.wait(10)
    wait_until(lambda: host_state(gamma) == before, "the host as it was", RESTORED_SECONDS)


def test_what_a_killed_agent_and_its_guardian_left_goes_with_the_next_start_or_down(idle):
    gamma, before = idle
    gamma.up()
    wait_until(lambda: ready(gamma), "MagicDNS", 20)
    guardian = next(pid for pid in descendants(gamma.process.pid) if "guardian" in command_line(pid))
    os.kill(guardian, signal.SIGKILL)
    gamma.process.kill()
    gamma.process.wait(5)
    assert ready(gamma)
    gamma.ztna("down")
    assert host_state(gamma) == before


def test_an_agent_killed_while_it_starts_leaves_nothing(idle):
    gamma, before = idle
    for delay in (0.3, 0.6, 0.9, 1.2, 1.6):
        gamma.up()
        with contextlib.suppress(Exception):
            gamma.process.wait(delay)
        gamma.process.kill()
        gamma.process.wait(5)
        wait_until(lambda: host_state(gamma) == before, f"the host as it was ({delay} s)", RESTORED_SECONDS)


def test_another_program_on_the_address_of_the_resolver_is_named_and_left_alone(idle):
    gamma, _ = idle
    listen = "import socket,time; s=socket.socket(); s.bind(('0.0.0.0',53)); s.listen(); time.sleep(60)"
    with open(os.devnull, "wb") as log:
        other = gamma.host.spawn(["python3", "-c", listen], log=log)
    try:
        gamma.up()
        problem = wait_until(lambda: (gamma.json("dns", "status") or {}).get("problem"), "a problem", 20)
        assert "another program" in problem
        assert resolv_conf(gamma) == RESOLV_CONF
    finally:
        other.kill()
        other.wait()
    wait_until(lambda: ready(gamma), "MagicDNS after the other program", 10)

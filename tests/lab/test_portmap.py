"""Port mapping by the real miniupnpd: the pair that cannot be direct without it, and clean hands after."""

import re

import pytest

from tests.lab.demo import pair_view
from tests.lab.nats import Nat
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

# miniupnpd serves no documentation range; this address exists in the lab's namespaces only.
EXTERNAL = "11.0.0.1"
CHAINS = {"forward": "upnp_fwd", "prerouting": "upnp_pre", "postrouting": "upnp_post"}
CONFIG = f"""
ext_ifname=wan
ext_ip={EXTERNAL}
listening_ip=lan0
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
uuid=6a1c2c7e-0d5b-4b0e-9a37-0c1f5d3e7a11
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain={CHAINS["forward"]}
upnp_nat_chain={CHAINS["prerouting"]}
upnp_nat_postrouting_chain={CHAINS["postrouting"]}
allow 1024-65535 192.168.0.0/16 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
TABLE = f"""
table inet upnp {{
    chain {CHAINS["forward"]} {{ }}
    chain {CHAINS["prerouting"]} {{ }}
    chain {CHAINS["postrouting"]} {{ }}
    chain f {{ type filter hook forward priority -1; jump {CHAINS["forward"]}; }}
    chain a {{ type nat hook prerouting priority -100; jump {CHAINS["prerouting"]}; }}
    chain z {{ type nat hook postrouting priority 90; jump {CHAINS["postrouting"]}; }}
}}
flush chain ip guard pass
add rule ip guard pass iifname "wan" ct state new ct status & dnat == 0 drop
"""
QUIET = "table ip quiet {{\n chain i {{\n type filter hook input priority 0\n {rule}\n }}\n }}\n"


def open_for_mapping(router, directory, log):
    """Run miniupnpd on a router of the lab."""
    router.run("ip", "addr", "add", f"{EXTERNAL}/32", "dev", "wan")
    router.nft(TABLE)
    config = directory / "miniupnpd.conf"
    config.write_text(CONFIG)
    router.spawn(["miniupnpd", "-d", "-f", str(config), "-P", str(directory / "miniupnpd.pid")], log=log)


def mappings(router):
    """External UDP ports that the router forwards."""
    rules = router.run("nft", "list", "chain", "inet", "upnp", CHAINS["prerouting"])
    return re.findall(r"dnat ip to (\S+)", rules)


class Pair:
    def __init__(self, alpha, beta):
        self.alpha, self.beta = alpha, beta
        self.router = alpha.host.router

    def log(self):
        return (self.alpha.directory / "ztna.log").read_text()

    def direct(self):
        return pair_view({"alpha": self.alpha, "beta": self.beta}, "alpha", "beta") == ("direct", "hybrid")

    def restart(self, rule=None):
        """Alpha starts anew, with the router deaf to what the rule names."""
        self.alpha.stop()
        self.router.nft("table ip quiet\ndelete table ip quiet\n")
        # Else the flows that were mapped outlive their mapping.
        self.router.run("conntrack", "-F")
        if rule:
            self.router.nft(QUIET.format(rule=rule))
        began = len(self.log())
        self.alpha.up()
        return lambda: re.findall(r"port mapped by=(\S+) to=(\S+?):", self.log()[began:])


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    directory = tmp_path_factory.mktemp("site")
    with site(directory) as running, (directory / "miniupnpd.log").open("wb") as log:
        lab = running.lab
        hard, easy = lab.nat(Nat.SYMMETRIC), lab.nat(Nat.PORT_RESTRICTED)
        alpha = running.machine(lab.private_host("alpha", hard))
        beta = running.machine(lab.private_host("beta", easy))
        for host in (easy, beta.host, running.relay, running.control):
            via = ("via", str(easy.inside[0][1])) if host is beta.host else ()
            host.run("ip", "route", "add", f"{EXTERNAL}/32", *via, "dev", "wan" if host is easy else "eth0")
        open_for_mapping(hard, directory, log)
        key = running.auth_key(running.sign_up("Lab"), reusable=True)
        alpha.up(key)
        beta.up(key)
        yield Pair(alpha, beta)


def test_symmetric_facing_port_restricted_is_direct_by_a_mapped_port(pair):
    wait_until(pair.direct, "a direct path through the mapped port", 20)
    assert pair.beta.peers()["alpha"]["endpoint"].startswith(f"{EXTERNAL}:")
    pair.alpha.ztna("ping", "beta")


def test_netcheck_names_what_the_router_speaks(pair):
    assert pair.alpha.json("netcheck")["portmap"] == ["nat-pmp", "pcp", "upnp"]


@pytest.mark.parametrize(
    ("protocol", "deaf"),
    [("pcp", None), ("nat-pmp", "udp dport 5351 @th,64,8 2 drop"), ("upnp", "udp dport 5351 drop")],
)
def test_each_protocol_maps_and_gives_back(pair, protocol, deaf):
    found = pair.restart(deaf)
    wait_until(found, f"a mapping by {protocol}", 10)
    assert found() == [(protocol, EXTERNAL)]
    assert mappings(pair.router) == [f"{pair.alpha.host.address}:41641"]
    wait_until(pair.direct, "a direct path", 20)
    pair.alpha.stop()
    assert mappings(pair.router) == []


def test_a_router_that_maps_nothing_costs_only_the_direct_path(pair):
    found = pair.restart("meta l4proto udp drop")
    wait_until(lambda: pair.alpha.peers().get("beta", {}).get("path") == "derp", "the relay", 15)
    assert not found()

"""What stands between a host and the internet: the kinds of NAT and firewall, as nftables rules.

Terms of RFC 4787: mapping (which outside port a packet gets) and filtering (who may answer it).
"""

from enum import StrEnum

# Where the daemon's first two hosts of a hairpin NAT appear outside.
HAIRPIN_PORTS = (41641, 41642)


class Nat(StrEnum):
    """How a NAT maps and filters."""

    PORT_RESTRICTED = "port-restricted"  # endpoint-independent mapping, address and port filtering
    ADDRESS_RESTRICTED = "address-restricted"  # endpoint-independent mapping, address filtering
    SYMMETRIC = "symmetric"  # address- and port-dependent mapping
    FULL_CONE = "full-cone"  # endpoint-independent mapping and filtering
    HAIRPIN = "hairpin"  # full cone for two hosts, also from inside, which do not see each other
    UDP_BLOCKED = "udp-blocked"  # carries TCP only


def rules(kind: Nat) -> str:
    """The tables of a router of this kind; its interfaces are wan and lan0, lan1..."""
    # New packets that arrive outside are dropped in input too: an early probe would otherwise
    # leave a conntrack entry that makes masquerade choose another port for our own flow.
    how = "masquerade random,fully-random" if kind is Nat.SYMMETRIC else "masquerade"
    return f"""
        table ip nat {{
            chain out {{
                type nat hook postrouting priority 100;
                oifname "wan" {how}
            }}
        }}
        table ip guard {{
            set contacted {{ type ipv4_addr; flags dynamic,timeout; timeout 2m; }}
            chain arrive {{
                type filter hook input priority 0;
                iifname "wan" ct state new drop
            }}
            chain pass {{
                type filter hook forward priority 0;
                {_forward(kind)}
            }}
        }}
        """


def inward(kind: Nat, host: str, number: int, outside: str) -> str:
    """What a router of this kind needs to know of its host, the number-th one."""
    if kind in (Nat.FULL_CONE, Nat.ADDRESS_RESTRICTED):
        return f"""
            table ip cone {{
                chain arrive {{
                    type nat hook prerouting priority -100;
                    iifname "wan" meta l4proto udp dnat to {host}
                }}
            }}
            """
    if kind is Nat.HAIRPIN:
        port = HAIRPIN_PORTS[number]
        return f"""
            table ip hairpin {{
                chain arrive {{
                    type nat hook prerouting priority -100;
                    ip daddr {outside} udp dport {port} dnat to {host}:{HAIRPIN_PORTS[0]}
                }}
                chain leave {{
                    type nat hook postrouting priority 90;
                    ip saddr {host} udp sport {HAIRPIN_PORTS[0]} snat to {outside}:{port}
                }}
            }}
            """
    return ""


# A host without NAT that lets in only what answers it.
STATEFUL_FIREWALL = """
    table inet guard {
        chain arrive {
            type filter hook input priority 0; policy drop;
            iifname "lo" accept
            iifname != "eth0" accept
            ct state established,related accept
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        }
    }
    """


def _forward(kind: Nat) -> str:
    match kind:
        case Nat.FULL_CONE:
            return ""
        case Nat.HAIRPIN:
            return 'iifname "lan*" oifname "lan*" ct status & dnat == 0 drop'
        case Nat.ADDRESS_RESTRICTED:
            return """
                oifname "wan" update @contacted { ip daddr }
                iifname "wan" ct state new ip saddr != @contacted drop
            """
        case Nat.UDP_BLOCKED:
            return 'meta l4proto udp drop\niifname "wan" ct state new drop'
        case _:
            return 'iifname "wan" ct state new drop'

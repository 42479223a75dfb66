"""Addresses that the control plane may call."""

import ipaddress

import pytest

from apps.core.outward import Refused, addresses_of, check_public


def judged(address, *networks):
    try:
        check_public([address], allowed=[ipaddress.ip_network(network) for network in networks])
    except Refused:
        return False
    return True


@pytest.mark.parametrize("address", ["1.1.1.1", "203.0.112.7", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_ones_may_be(address):
    assert judged(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.7", "169.254.169.254", "0.0.0.0"),
        *("224.0.1.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fd00::1", "ff0e::1", "fd00:ec2::254", "2001:db8::1"),
        # IPv4 in another dress: mapped, 6to4, Teredo, NAT64.
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::"),
        *("2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),
    ],
)
def test_others_may_not(address):
    assert not judged(address)
    assert not judged(address, "192.0.3.0/24")


def test_one_bad_address_spoils_the_name():
    with pytest.raises(Refused, match="not public"):
        check_public(["1.1.1.1", "10.0.0.1"])


def test_the_operator_opens_networks():
    assert judged("10.1.2.3", "10.0.0.0/8")
    assert not judged("10.1.2.3", "10.2.0.0/16")
    assert judged("fd00::1", "fd00::/8")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1"])
def test_the_hosts_own_and_metadata_need_to_be_named(address):
    assert not judged(address, "0.0.0.0/0", "::/0", "126.0.0.0/7", "169.0.0.0/8")
    if address != "0.0.0.0":
        assert judged(address, "127.0.0.0/8", "169.254.169.254/32", "::1/128", "fe80::/10")


def test_spelled_differently_it_is_the_same_address():
    for host in ("2130706433", "0x7f.1", "127.1"):
        assert addresses_of(host, 443) == ["127.0.0.1"]


def test_a_name_without_an_address_is_refused():
    with pytest.raises(Refused, match="no address"):
        addresses_of("nothing.invalid", 443)
    with pytest.raises(Refused, match="no address"):
        addresses_of("a" * 70 + ".example", 443)

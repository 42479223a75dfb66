"""The client's address: a header counts only from a proxy we trust."""

import ipaddress

import pytest

from apps.core.addresses import client_address, client_network


@pytest.mark.parametrize(
    ("peer", "header", "found"),
    [
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "forged", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_only_trusted_hops_are_believed(settings, peer, header, found):
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
    assert client_address(peer, header) == found


def test_nobody_is_trusted_unless_configured(settings):
    settings.TRUSTED_PROXIES = ()
    assert client_address("127.0.0.1", "198.51.100.1") == "127.0.0.1"


def test_one_host_is_one_network():
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff:1")
    assert client_network("192.0.2.1") != client_network("192.0.2.2")
    assert client_network("::ffff:192.0.2.1") == client_network("192.0.2.1")
    assert client_network(None) == "unknown"

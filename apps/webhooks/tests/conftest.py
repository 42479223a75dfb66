"""Targets, and an operator who lets webhooks go to them."""

import ipaddress

import pytest

from apps.webhooks.tests.target import Target
from tests.lab.pki import Authority

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("webhook-pki"))


@pytest.fixture
def reachable(settings, authority):
    """Loopback is opened by name, and the tests' authority is trusted."""
    settings.WEBHOOK_NETWORKS = LOOPBACK
    settings.WEBHOOK_CA_FILE = str(authority.ca_file)
    return settings


@pytest.fixture
def target(authority, reachable):
    found = Target(authority)
    yield found
    found.close()

"""A host whose packet filter is under test, between a peer and a LAN."""

import pytest

from agent.host.filter import PacketFilter as HostFilter
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
from tests.lab.filtered import Hosts, inside
from tests.lab.net import Lab


@pytest.fixture(scope="module")
def hosts():
    with Lab() as lab:
        yield Hosts(lab)


@pytest.fixture
def journal(tmp_path):
    return Journal(Store(tmp_path), undo)


@pytest.fixture
def rules(hosts, journal):
    with inside(hosts.us):
        host_filter = HostFilter(journal, "eth0")
        yield host_filter
        host_filter.close()
        journal.replay()
        assert "quickztna" not in hosts.us.run("nft", "list", "tables")

"""How these tests are shared out, and a host whose packet filter is under test, between a peer and a LAN."""

import pytest

from agent.host.filter import PacketFilter as HostFilter
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
from tests.lab.filtered import Hosts, inside
from tests.lab.net import Lab


def pytest_collection_modifyitems(items):
    """Tests of a file share a site and stay with one worker; those marked alone go first, one by one."""
    for item in items:
        if item.get_closest_marker("lab") and not item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: item.get_closest_marker("alone") is None)


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

"""A machine whose clock is hours off, and jumps, keeps to the control plane's seconds."""

import sys
import time

import pytest

from tests.lab.site import ROOT, site, wait_until
from tests.lab.test_policy_live import SOON, Flow, Network, rfc3339

pytestmark = pytest.mark.lab

PORT = 9200
HOUR = 3600
# Python runs it before everything else: the process lives hours away from its host.
SHIFTED = """
import pathlib, time
_right, _shift = time.time, pathlib.Path({path!r})
time.time = lambda: _right() + float(_shift.read_text())
"""


class ShiftedNetwork(Network):
    """beta, which judges what alpha sends, has a wrong clock."""

    def prepare(self, machine):
        if machine.host.name == "beta":
            directory = machine.directory / "clock"
            directory.mkdir()
            self.shift = directory / "seconds"
            self.set_clock(5 * HOUR)
            (directory / "sitecustomize.py").write_text(SHIFTED.format(path=str(self.shift)))
            machine.environment["PYTHONPATH"] = f"{directory}:{ROOT}"

    def set_clock(self, seconds):
        self.shift.write_text(str(seconds))

    def clock_of_beta(self):
        code = "import time; print(time.time())"
        return float(self.beta.host.run(sys.executable, "-c", code, env=self.beta.environment))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield ShiftedNetwork(running)


@pytest.fixture
def flow(network):
    flow = Flow(network, PORT)
    yield flow
    flow.end()


def test_a_rule_opens_and_shuts_to_the_second_while_the_clock_jumps(network, flow):
    assert abs(network.clock_of_beta() - time.time()) > 4 * HOUR
    opens = int(time.time()) + 6
    shuts = opens + 5
    network.open_port(PORT, starts_at=rfc3339(opens), expires_at=rfc3339(shuts))
    time.sleep(opens - 2 - time.time())
    network.set_clock(-9 * HOUR)
    time.sleep(opens + 2 - time.time())
    network.set_clock(30 * HOUR)
    time.sleep(shuts + 2 - time.time())
    first, *_, last = flow.arrivals()
    assert opens - SOON / 4 < first < opens + SOON + 1
    assert abs(last - shuts) < SOON


def test_and_so_it_does_after_a_restart_without_the_control_plane(network, flow):
    shuts = int(time.time()) + 20
    network.open_port(PORT, expires_at=rfc3339(shuts))
    wait_until(lambda: flow.alive, "a flow", 5, pause=0.1)
    network.site.stop_control()
    try:
        network.beta.stop()
        network.set_clock(-50 * HOUR)
        network.beta.up()
        wait_until(lambda: flow.alive, "a flow again", shuts - time.time(), pause=0.1)
        time.sleep(shuts + 2 - time.time())
        assert abs(flow.arrivals()[-1] - shuts) < SOON
    finally:
        network.start_control()

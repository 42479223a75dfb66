"""Policy seen in live flows: `nc` between two machines while rules and grants come and go."""

import time
from datetime import UTC, datetime

import pytest

from tests.lab.nats import Nat
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

PORT, COUNTED_PORT = 9000, 9100
TICK_SECONDS = 0.02
SOON = 1.0
GRANT_SECONDS = 60


class Flow:
    """A line of `nc` every 20 ms from alpha to beta, each with the Unix time of its sending.

    nc comes back as long as the flow is wanted, so that what opens again is used at once.
    """

    def __init__(self, network, port=PORT):
        self._path = network.site.directory / f"flow-{time.monotonic_ns()}"
        self._log = self._path.open("wb")
        address = network.beta.ztna("ip").strip()
        self._server = network.beta.host.spawn(["nc", "-lk", str(port)], log=self._log)
        sender = (
            f"while :; do (while date +%s.%N; do sleep {TICK_SECONDS}; done) "
            f"| nc -w 1 {address} {port}; sleep {TICK_SECONDS}; done"
        )
        self._errors = (network.site.directory / "nc.log").open("ab")
        self._client = network.alpha.host.spawn(["sh", "-c", sender], log=self._errors)

    def arrivals(self):
        """Sending times of the lines that arrived, in seconds."""
        return [float(line) for line in self._path.read_text().splitlines()[:-1]]

    @property
    def alive(self):
        lines = self.arrivals()
        return bool(lines) and time.time() - lines[-1] < 0.5

    def end(self):
        for process in (self._client, self._server):
            process.terminate()
            process.wait(5)
        self._log.close()
        self._errors.close()


class Network:
    """Two machines behind NATs, two administrators, and no rule that opens the port."""

    def __init__(self, running):
        self.site, self.ada = running, running.sign_up("Lab")
        self.bea = running.join(self.ada, "bea@example.test", "admin")
        key = running.auth_key(self.ada)
        machines = [
            running.machine(running.lab.private_host(name, running.lab.nat(Nat.PORT_RESTRICTED)))
            for name in ("alpha", "beta")
        ]
        for machine in machines:
            self.prepare(machine)
            machine.up(key)
        self.alpha, self.beta = machines
        wait_until(lambda: self.alpha.peers().get("beta", {}).get("path") == "direct", "a direct path", 30)
        self.ids = {machine.host.name: machine.json("status")["machine"]["id"] for machine in machines}
        for row in self.rules("GET"):
            self.rules("DELETE", row["id"])
        # They know each other throughout, so that only the port opens and shuts.
        self.rules("POST", name="ping", source="*", destination="*", protocol="icmp")
        wait_until(self.enforced, "enforcement", 10)

    def prepare(self, machine):
        """Before a machine starts for the first time."""

    def rules(self, method, rule_id=None, **values):
        query = {"org_id": self.ada.org_id} | ({"id": f"eq.{rule_id}"} if rule_id else {})
        return self.site.request(
            method, "/api/db/acl_rules", token=self.ada.token, params=query, json=values or None
        )

    def enforced(self):
        found = self.policy("enforcement")
        return found["acknowledged"] == found["agents_total"] == len(self.ids)

    def policy(self, action, **values):
        body = {"action": action, "org_id": self.ada.org_id, **values}
        return self.site.request("POST", "/api/policy", token=self.ada.token, json=body)

    def counted(self, **changes):
        """A plan for rules once the machines have said which connections it cuts."""
        made = self.policy("plan", changes={"acl_rules": changes})

        def answered():
            plan = self.policy("get_plan", plan_id=made["plan_id"])
            return plan["live_connections"]["state"] == "counted" and plan

        return wait_until(answered, "an answer", 5)

    def open_port(self, port=PORT, **values):
        ends = {"source": self.ids["alpha"], "destination": self.ids["beta"]}
        rule = self.rules("POST", name="nc", **ends, protocol="tcp", ports=str(port), **values)
        return (rule[0] if isinstance(rule, list) else rule)["id"]

    def start_control(self):
        self.site.start_control()
        for machine in (self.alpha, self.beta):
            wait_until(lambda one=machine: one.json("status")["control_connected"], "a link again", 30)

    def govern(self, account, action, **values):
        body = {"action": action, "org_id": account.org_id, **values}
        return self.site.request("POST", "/api/governance", token=account.token, json=body)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield Network(running)


@pytest.fixture
def flow(network):
    flow = Flow(network)
    yield flow
    flow.end()


def test_a_live_flow_is_cut_within_a_second_of_the_removal_of_its_rule(network, flow):
    time.sleep(1)
    assert flow.arrivals() == []
    saved = time.time()
    rule = network.open_port()
    wait_until(lambda: flow.alive, "a flow", 5, pause=0.1)
    assert flow.arrivals()[0] - saved < SOON + 1  # an nc that was refused waits a second
    removed = time.time()
    network.rules("DELETE", rule)
    time.sleep(2)
    assert removed < flow.arrivals()[-1] < removed + SOON


def test_a_grant_opens_and_shuts_to_the_second_without_the_control_plane(network, flow):
    ends = {"source_selector": network.ids["alpha"], "destination_selector": network.ids["beta"]}
    asked = network.govern(network.bea, "jit_request", **ends, ports=str(PORT), reason="the outage")
    assert flow.arrivals() == []
    hours = GRANT_SECONDS / 3600
    granted = network.govern(network.ada, "jit_approve", grant_id=asked["grant_id"], duration_hours=hours)
    approved, shuts = time.time(), _unix(granted["expires_at"])
    wait_until(lambda: flow.alive, "a flow", 5, pause=0.1)
    assert flow.arrivals()[0] - approved < SOON + 1
    network.site.stop_control()
    time.sleep(shuts - time.time() - 1.5)
    assert flow.alive
    time.sleep(3.5)
    network.start_control()
    assert abs(flow.arrivals()[-1] - shuts) < SOON


def test_a_rule_with_a_beginning_and_an_end_needs_no_control_plane_either(network, flow):
    opens = int(time.time()) + 8
    shuts = opens + 4
    rule = network.open_port(starts_at=rfc3339(opens), expires_at=rfc3339(shuts))
    time.sleep(2)
    assert flow.arrivals() == []
    network.site.stop_control()
    try:
        time.sleep(shuts + 2 - time.time())
        first, *_, last = flow.arrivals()
        assert opens - SOON / 4 < first < opens + SOON + 1
        assert abs(last - shuts) < SOON
    finally:
        network.start_control()
    network.rules("DELETE", rule)


def test_a_plan_counts_the_open_connections_that_it_cuts_and_no_others(network):
    rule = network.open_port(COUNTED_PORT)
    flow = Flow(network, COUNTED_PORT)
    try:
        wait_until(lambda: flow.alive, "a flow", 5, pause=0.1)
        wider = network.counted(update=[{"id": rule, "ports": f"{COUNTED_PORT}-{COUNTED_PORT + 1}"}])
        assert (wider["live_connections"]["machines_answered"], wider["live_connections_cut"]) == (1, [])
        cutting = network.counted(delete=[rule])
        told = {"connections": 1, "machines_asked": 1, "machines_answered": 1}
        assert told.items() <= cutting["live_connections"].items()
        (cut,) = cutting["live_connections_cut"]
        assert (cut["source"]["name"], cut["destination"]["name"]) == ("alpha", "beta")
        assert (cut["ports"], cut["connections"], cut["rules"]) == (str(COUNTED_PORT), 1, ["nc"])
        assert flow.alive
        applied = time.time()
        network.policy("apply", plan_id=cutting["plan_id"])
        time.sleep(2)
        assert applied < flow.arrivals()[-1] < applied + SOON
    finally:
        flow.end()


def _unix(text):
    return datetime.fromisoformat(text).timestamp()


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

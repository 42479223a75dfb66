"""The flow log in Chromium: switched on, filled by a machine, read, narrowed, exported."""

import csv
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.network import Network, sign_in

pytestmark = pytest.mark.browser

ROWS_ON_SCREEN = 200


class Reporting(Network):
    """An organisation with two machines, of which `web` reports what its filter decides."""

    def __init__(self, control_plane):
        super().__init__(control_plane, "laptop", "web")
        values = {"source": "laptop", "destination": "web", "protocol": "tcp", "ports": "443"}
        self.rule_id = self.add("acl_rules", name="laptop to web", action="allow", **values)["id"]

    def report(self, *rows):
        """What `web` saw: rows without ends are from `laptop` to `web`."""
        now = time.time()
        ends = {"source": self.machines["laptop"]["tailnet_ip"], "destination": self.address}
        counts = {"at": now, "protocol": "tcp", "packets": 4, "bytes": 2048, "count": 1}
        body = {
            "from": now - 60,
            "to": now,
            "dropped": 0,
            "rows": [{**ends, **counts, **row} for row in rows],
        }
        answer = self.call("/api/flow-report", body, self.machines["web"]["node_key"])
        assert answer["accepted"] == len(rows), answer

    @property
    def address(self):
        return self.machines["web"]["tailnet_ip"]


@pytest.fixture(scope="module")
def network(control_plane):
    return Reporting(control_plane)


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


def rows(page):
    """The rows of the table, its head left out."""
    return page.get_by_role("table", name="Flows").locator("tbody tr:not([aria-hidden])")


def test_recording_starts_only_after_saying_what_it_means(console, network):
    console.get_by_role("link", name="Flow log").click()
    expect(console.get_by_text("Flows are not recorded")).to_be_visible()
    console.get_by_role("button", name="Record flows").click()
    question = console.get_by_role("dialog")
    expect(question.get_by_text("30 days")).to_be_visible()
    assert network.act("org-management", "get_settings")["flow_logs_enabled"] is False
    question.get_by_role("button", name="Record flows").click()
    expect(console.get_by_text("No flow in this time")).to_be_visible()
    assert network.act("org-management", "get_settings")["flow_logs_enabled"] is True


def test_each_flow_names_the_rule_that_decided(console, network):
    network.report(
        {"port": 443, "verdict": "allow", "rule_id": network.rule_id, "count": 3},
        {"port": 22, "verdict": "deny", "rule_id": None, "source": "203.0.113.9"},
    )
    console.goto(f"{network.plane.url}/flows")
    expect(rows(console)).to_have_count(2)
    allowed, denied = rows(console).filter(has_text="tcp/443"), rows(console).filter(has_text="tcp/22")
    for text in ("allow", "×3", "2.0 KB", "4 packets"):
        expect(allowed).to_contain_text(text)
    for name in ("laptop", "web", "laptop to web"):
        expect(allowed.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(denied.get_by_text("default deny")).to_be_visible()
    expect(denied.get_by_title("203.0.113.9")).to_be_visible()
    expect(denied.get_by_role("link")).to_have_count(1)
    expect(console.get_by_role("img", name="3 allowed and 1 denied connections")).to_be_visible()
    allowed.get_by_role("link", name="laptop to web").click()
    console.wait_for_url("**/acls?q=laptop*")
    expect(console.get_by_role("article", name="Rule laptop to web")).to_be_visible()


def test_filters_live_in_the_address_and_go_with_one_click(console, network):
    console.goto(f"{network.plane.url}/flows")
    console.get_by_label("Verdict").select_option("deny")
    expect(rows(console)).to_have_count(1)
    console.reload()
    expect(rows(console)).to_have_count(1)
    console.get_by_label("Source").fill("lapto")
    expect(console.get_by_text("No machine of this name")).to_be_visible()
    console.get_by_label("Source").fill("laptop")
    expect(console.get_by_text("No flow matches")).to_be_visible()
    assert f"source={network.machines['laptop']['machine_id']}" in console.url
    console.get_by_role("button", name="Clear filters").click()
    expect(rows(console)).to_have_count(2)
    console.get_by_label("Service", exact=True).fill("tcp/443")
    expect(rows(console)).to_have_count(1)
    rows(console).get_by_role("button", name="show details").locator("visible=true").click()
    drawer = console.get_by_role("dialog")
    expect(drawer.get_by_text("2.0 KB")).to_be_visible()
    drawer.get_by_role("button", name="this rule").click()
    assert f"rule={network.rule_id}" in console.url
    expect(rows(console)).to_have_count(1)


def test_the_export_holds_what_the_filters_let_through(console, network):
    console.goto(f"{network.plane.url}/flows?verdict=allow")
    expect(rows(console)).to_have_count(1)
    with console.expect_download() as waiting:
        console.get_by_role("button", name="Export").click()
    assert waiting.value.suggested_filename == "acme-flows.csv"
    with Path(waiting.value.path()).open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == 1
    assert {"allow", "443"} <= set(exported[0].values())


def test_older_flows_are_loaded_when_asked_for(console, network):
    for first in (1, 201):
        allowed = {"verdict": "allow", "rule_id": network.rule_id}
        network.report(*({**allowed, "port": 10_000 + port} for port in range(first, first + 200)))
    console.goto(f"{network.plane.url}/flows?verdict=allow")
    expect(console.get_by_text(f"{ROWS_ON_SCREEN} entries loaded")).to_be_visible()
    console.get_by_role("button", name="Load older").click()
    expect(console.get_by_text("400 entries loaded")).to_be_visible()
    console.get_by_role("button", name="Load older").click()
    expect(console.get_by_text("401 entries in all")).to_be_visible()
    expect(console.get_by_role("button", name="Load older")).to_have_count(0)


def test_after_recording_is_switched_off_what_was_recorded_stays(console, network):
    console.goto(f"{network.plane.url}/settings")
    console.get_by_label("Flow log").click()
    expect(console.get_by_text("Flow log saved")).to_be_visible()
    console.get_by_role("link", name="Flow log").click()
    expect(console.get_by_text("Flows are not recorded now")).to_be_visible()
    expect(rows(console).first).to_be_visible()

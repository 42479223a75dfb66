"""Webhooks in Chromium, with a real target: added, tested, told, replayed, deleted."""

import pytest
from playwright.sync_api import expect

from apps.webhooks.tests.target import Reply, Target, documented_verify
from tests.e2e.conftest import ControlPlane
from tests.e2e.network import Network, sign_in
from tests.lab.pki import Authority

pytestmark = pytest.mark.browser

AUDITOR = "audrey@example.test"
JOB_MS = 20_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def network(authority, tmp_path_factory):
    """Whose operator lets webhooks go to loopback."""
    plane = ControlPlane(
        tmp_path_factory.mktemp("control"),
        QZTNA_WEBHOOK_NETWORKS="127.0.0.0/8",
        QZTNA_WEBHOOK_CA_FILE=str(authority.ca_file),
    )
    try:
        plane.start()
        found = Network(plane, "laptop", "db")
        found.invite(AUDITOR, "auditor")
        yield found
    finally:
        plane.stop()


@pytest.fixture(scope="module")
def target(authority):
    found = Target(authority)
    yield found
    found.close()


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


def card(console):
    return console.get_by_role("article", name="Webhook to 127.0.0.1")


def test_one_is_added_and_its_secret_is_shown_once(console, network, target):
    console.get_by_role("link", name="Webhooks").click()
    expect(console.get_by_text("No webhook yet")).to_be_visible()
    console.get_by_role("button", name="Add webhook").first.click()
    dialog = console.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Add")).to_be_disabled()
    dialog.get_by_label("All of Just-in-time access").check()
    dialog.get_by_text("Machines", exact=True).click()
    dialog.get_by_label("machine.renamed").check()
    dialog.get_by_label("Address").fill("https://10.0.0.1/hook")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog.get_by_text("url: the address is not public")).to_be_visible()
    dialog.get_by_label("Address").fill(target.url)
    dialog.get_by_role("button", name="Add").click()
    network.secret = console.get_by_role("dialog").locator("code").inner_text()
    assert network.secret.startswith("whsec_")
    console.get_by_role("button", name="Done").click()
    expect(card(console)).to_contain_text("Nothing sent yet")
    for event in ("jit.*", "machine.renamed"):
        expect(card(console)).to_contain_text(event)
    assert network.secret not in console.content()


def test_a_test_shows_what_was_answered(console, network, target):
    console.goto(f"{network.plane.url}/webhooks")
    target.reply = lambda request: Reply(500, b"out of order")
    card(console).get_by_role("button", name="Test").click()
    dialog = console.get_by_role("dialog")
    expect(dialog.get_by_text("out of order")).to_be_visible()
    expect(dialog.get_by_text("failed", exact=True)).to_be_visible()
    target.reply = lambda request: Reply(204)
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog.get_by_text("delivered", exact=True)).to_be_visible()
    request = target.received[-1]
    assert documented_verify()(network.secret, request.headers["X-QuickZTNA-Signature"], request.body)
    assert len(target.received) == 2


def test_a_request_for_access_is_sent_by_the_job_and_replayed(console, network, target):
    console.goto(f"{network.plane.url}/webhooks")
    target.received.clear()
    ends = {"source_selector": network.id_of("laptop"), "destination_selector": network.id_of("db")}
    network.act("governance", "jit_request", **ends, ports="5432", reason="restore")
    # The page hears of it by itself.
    expect(card(console)).to_contain_text("Delivering", timeout=JOB_MS)
    (body,) = target.bodies()
    assert (body["event"], body["data"]["source"], body["data"]["destination"]) == (
        "jit.requested",
        "laptop",
        "db",
    )
    assert body["data"]["approve_url"] == f"{network.plane.url}/jit?tab=inbox"
    card(console).get_by_role("button", name="Deliveries").click()
    drawer = console.get_by_role("dialog")
    drawer.get_by_role("button", name="jit.requested").click()
    expect(drawer.get_by_text('"reason": "restore"')).to_be_visible()
    drawer.get_by_role("button", name="Replay").click()
    expect(drawer.get_by_text("pending", exact=True)).to_be_visible()
    expect(drawer.get_by_text("delivered", exact=True)).to_be_visible(timeout=JOB_MS)
    assert [request.body for request in target.received] == [target.received[0].body] * 2
    console.reload()
    expect(console.get_by_role("dialog").get_by_role("list", name="Deliveries")).to_be_visible()


def test_it_is_switched_edited_and_deleted(console, network):
    console.goto(f"{network.plane.url}/webhooks")
    card(console).get_by_role("switch").click()
    expect(card(console).get_by_text("Off", exact=True)).to_be_visible()
    card(console).get_by_role("button", name="Edit").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("All of Just-in-time access").uncheck()
    dialog.get_by_label("Renew the secret").click()
    dialog.get_by_role("button", name="Save").click()
    expect(console.get_by_role("dialog").locator("code")).to_contain_text("whsec_")
    assert console.get_by_role("dialog").locator("code").inner_text() != network.secret
    console.get_by_role("button", name="Done").click()
    expect(card(console)).not_to_contain_text("jit.*")
    card(console).get_by_role("button", name="Delete").click()
    console.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(console.get_by_text("No webhook yet")).to_be_visible()


def test_an_auditor_is_not_shown_the_way_and_is_refused_the_page(page, network):
    console = sign_in(page, network, AUDITOR)
    expect(console.get_by_role("link", name="Audit log")).to_be_visible()
    expect(console.get_by_role("link", name="Webhooks")).to_have_count(0)
    console.goto(f"{network.plane.url}/webhooks")
    expect(console.get_by_text("Not open to your role")).to_be_visible()


def test_the_page_fits_a_phone_and_keeps_order_at_twenty(console, network):
    for number in range(20):
        address = f"https://hooks-{number}.example.com/{'long/' * 20}?token=abc"
        network.act("webhooks", "create", url=address, events=["*"])
    console.set_viewport_size({"width": 380, "height": 800})
    console.goto(f"{network.plane.url}/webhooks")
    expect(console.get_by_role("article")).to_have_count(20)
    expect(console.get_by_role("button", name="Add webhook")).to_be_disabled()
    assert not console.evaluate("document.documentElement.scrollWidth > innerWidth")

"""Groups of people in Chromium: they are looked at and named, and changed nowhere."""

import pytest
from playwright.sync_api import expect

from tests.e2e.network import ADMIN, Network, sign_in

pytestmark = pytest.mark.browser

MEMBER = "bob@example.test"


@pytest.fixture(scope="module")
def network(control_plane):
    found = Network(control_plane, "laptop", "db")
    found.invite(MEMBER, "member")
    found.push_groups({"Engineering": [ADMIN, MEMBER], "Contractors": []})
    found.add("segmentation_groups", name="servers")
    found.add("acl_rules", name="builders", source="group:engineering", destination="db")
    return found


@pytest.fixture
def console(page, network):
    return sign_in(page, network)


def test_who_is_in_a_group_is_read_beside_the_groups_of_machines(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    people = console.get_by_role("region", name="People", exact=True)
    group = people.get_by_role("region", name="Group Engineering")
    for text in ("SCIM", "1 ACL rule", ADMIN, MEMBER):
        expect(group.get_by_text(text, exact=True)).to_be_visible()
    expect(people.get_by_role("region", name="Group Contractors")).to_contain_text("Nobody in it")
    expect(people.get_by_role("button", name="Delete")).to_have_count(0)
    machines = console.get_by_role("region", name="Machines", exact=True)
    expect(machines.get_by_role("button", name="Delete servers")).to_be_visible()
    console.goto(f"{network.plane.url}/segmentation?q=contr")
    expect(people).to_be_visible()
    expect(group).to_have_count(0)
    expect(machines).to_have_count(0)


def test_a_group_of_machines_is_refused_the_name(console, network):
    console.goto(f"{network.plane.url}/segmentation")
    console.get_by_role("button", name="Create Group").first.click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("ENGINEERING")
    dialog.get_by_role("button", name="Preview", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("A group of people has this name")


def test_rules_are_offered_them(console, network):
    console.goto(f"{network.plane.url}/acls")
    expect(console.get_by_text("group:engineering")).to_be_visible()
    expect(console.get_by_text("nothing has this name yet")).to_have_count(0)
    console.get_by_role("button", name="Add Rule").first.click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Source", exact=True).fill("contr")
    offered = dialog.get_by_role("option", name="group:Contractors")
    expect(offered).to_contain_text("people (SCIM)")
    offered.click()
    expect(dialog.get_by_role("combobox", name="Source", exact=True)).to_have_value("group:Contractors")

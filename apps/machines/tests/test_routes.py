"""Subnet routers and exit nodes: offers, decisions, and what the map makes of them."""

import pytest

from apps.audit.models import AuditLog
from apps.machines.models import Machine
from apps.machines.tests.agents import Keys, admin, auth_key, code, enrol, register
from wire.netmap import Netmap

LAN, OTHER = "192.168.7.0/24", "2001:db8:7::/48"


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    return enrol(key, "router"), enrol(key, "laptop")


def own(agent, action, **values):
    """The machine about itself."""
    return agent.client.call("/api/machine-admin", {"action": action, "machine_id": agent.id, **values})


def data(response):
    assert response.status_code == 200, response.content
    return response.json()["data"]


def switch(cast, **settings):
    body = {"action": "update_org_settings", "org_id": str(cast.org_a.pk), **settings}
    assert cast.alice.client.call("/api/org-management", body).status_code == 200


def map_of(agent):
    return Netmap.from_json(data(agent.heartbeat()))


def carried_for(agent, peer):
    """The filter's line on what an agent passes on for a peer."""
    netmap = map_of(agent)
    own, carried = netmap.packet_filter.chains[netmap.peers[peer.id].inbound]
    assert own.destinations == ()
    return carried


def test_a_route_is_in_force_only_once_it_is_approved(cast, pair):
    router, laptop = pair
    answer = data(own(router, "advertise_routes", routes=[OTHER, LAN, LAN]))
    assert answer == {
        "machine_id": router.id,
        "advertised_routes": [LAN, OTHER],
        "approved_routes": [],
        "pending": [LAN, OTHER],
    }
    assert map_of(laptop).peers[router.id].routes == ()
    assert data(admin(cast.alice, "approve_routes", router, routes=[LAN]))["pending"] == [OTHER]
    assert map_of(laptop).peers[router.id].routes == (LAN,)
    carried = carried_for(router, laptop)
    assert (carried.action, carried.destinations) == ("accept", (LAN,))
    assert data(admin(cast.alice, "approve_routes", router))["approved_routes"] == [LAN, OTHER]
    # A new offer keeps what was approved of it, and a withdrawn one has to be approved again.
    assert data(own(router, "advertise_routes", routes=[OTHER]))["approved_routes"] == [OTHER]
    assert data(own(router, "advertise_routes", routes=[LAN, OTHER]))["pending"] == [LAN]
    assert data(admin(cast.alice, "reject_routes", router, routes=[OTHER])) == {
        "machine_id": router.id,
        "advertised_routes": [LAN],
        "approved_routes": [],
        "pending": [LAN],
    }
    actions = set(
        AuditLog.objects.for_org(cast.org_a)
        .filter(action__startswith="machine.routes")
        .values_list("action", flat=True)
    )
    assert actions == {"machine.routes_advertised", "machine.routes_approved", "machine.routes_rejected"}


@pytest.mark.parametrize(
    "routes",
    [
        "192.168.7.0/24",
        ["192.168.7.1/24"],
        ["0.0.0.0/0"],
        ["::/0"],
        ["127.0.0.0/8"],
        ["224.0.0.0/4"],
        ["fe80::/64"],
        ["100.64.3.0/24"],
        ["100.0.0.0/8"],
        ["x"],
        [7],
        [f"10.{n}.0.0/16" for n in range(201)],
    ],
)
def test_what_cannot_be_offered(pair, routes):
    router, _ = pair
    assert code(own(router, "advertise_routes", routes=routes)) == (400, "INVALID_INPUT")
    assert Machine.all_orgs.get(pk=router.id).advertised_routes == []


def test_who_may_decide(cast, pair):
    router, laptop = pair
    data(own(router, "advertise_routes", routes=[LAN]))
    body = {"org_id": str(cast.org_a.pk), "name": "bobs", "os": "linux", **Keys().fields()}
    bobs = cast.bob.client.call("/api/client-setup", body).json()["data"]["machine_id"]
    data(admin(cast.bob, "advertise_routes", bobs, routes=["10.9.0.0/16"]))
    for machine in (router, bobs):
        for action in ("approve_routes", "reject_routes", "approve_exit_node", "reject_exit_node"):
            assert code(admin(cast.bob, action, machine)) == (403, "FORBIDDEN")
            assert code(admin(cast.charlie, action, machine)) == (404, "NOT_FOUND")
    assert code(own(router, "approve_routes")) == (403, "FORBIDDEN")
    assert code(admin(cast.bob, "advertise_routes", router, routes=[])) == (403, "FORBIDDEN")
    assert code(own(laptop, "advertise_routes", machine_id=router.id, routes=[])) == (403, "FORBIDDEN")
    assert code(admin(cast.alice, "approve_routes", router, routes=["10.0.0.0/8"])) == (400, "INVALID_INPUT")
    assert Machine.all_orgs.get(pk=router.id).approved_routes == []


def test_the_switch_of_the_organisation_rules(cast, pair):
    router, laptop = pair
    data(own(router, "advertise_routes", routes=[LAN]))
    data(admin(cast.alice, "approve_routes", router))
    switch(cast, allow_subnet_routing=False)
    refused = own(router, "advertise_routes", routes=[LAN, OTHER])
    assert code(refused) == (403, "FORBIDDEN")
    assert refused.json()["error"]["message"] == "subnet routing not allowed for this org"
    refused = admin(cast.alice, "approve_routes", router)
    assert refused.json()["error"]["message"] == "Subnet routing is disabled for this organization"
    netmap = map_of(router)
    assert (netmap.self_node.advertised_routes, netmap.self_node.routes_allowed) == ((), False)
    assert map_of(laptop).peers[router.id].routes == ()
    assert data(own(router, "advertise_routes", routes=[]))["advertised_routes"] == []
    switch(cast, allow_subnet_routing=True)
    assert data(own(router, "advertise_routes", routes=[LAN]))["pending"] == [LAN]


def test_an_exit_node(cast, pair):
    router, laptop = pair
    assert code(own(router, "update_flags", advertise_exit_node=True)) == (403, "FORBIDDEN")
    assert code(admin(cast.alice, "approve_exit_node", router)) == (403, "FORBIDDEN")
    switch(cast, allow_exit_nodes=True)
    assert code(admin(cast.alice, "approve_exit_node", router)) == (400, "INVALID_STATE")
    data(own(router, "update_flags", advertise_exit_node=True))
    assert not map_of(laptop).peers[router.id].exit_node
    assert data(admin(cast.alice, "approve_exit_node", router))["exit_node_approved"] is True
    assert map_of(laptop).peers[router.id].exit_node
    assert carried_for(router, laptop).destinations == ("0.0.0.0/0", "::/0")
    # Withdrawn and offered again, it waits for approval again.
    data(own(router, "update_flags", advertise_exit_node=False))
    data(own(router, "update_flags", advertise_exit_node=True))
    assert not map_of(laptop).peers[router.id].exit_node
    data(admin(cast.alice, "approve_exit_node", router))
    assert data(admin(cast.alice, "reject_exit_node", router))["advertise_exit_node"] is False
    data(own(router, "update_flags", advertise_exit_node=True))
    data(admin(cast.alice, "approve_exit_node", router))
    switch(cast, allow_exit_nodes=False)
    assert not map_of(laptop).peers[router.id].exit_node
    assert not map_of(router).self_node.advertise_exit_node


def test_shields_up_leaves_no_chain(pair):
    router, laptop = pair
    assert map_of(router).peers[laptop.id].inbound in map_of(router).packet_filter.chains
    before = map_of(router).packet_filter.version
    data(own(router, "update_flags", shields_up=True))
    netmap = map_of(router)
    assert netmap.self_node.shields_up
    assert netmap.packet_filter.chains == {}
    assert netmap.packet_filter.version != before


def test_update_offers_routes_with_the_rest_or_not_at_all(cast, pair):
    router, _ = pair
    refused = admin(cast.alice, "update", router, name="gate", advertised_routes=["10.0.0.1/8"])
    assert code(refused) == (400, "INVALID_INPUT")
    assert Machine.all_orgs.get(pk=router.id).name == "router"
    assert data(admin(cast.alice, "update", router, name="gate", advertised_routes=[LAN]))["name"] == "gate"
    assert Machine.all_orgs.get(pk=router.id).advertised_routes == [LAN]


def test_the_table_decides_like_the_actions(cast, pair):
    router, laptop = pair

    def patch(person, **values):
        body = {"org_id": str(cast.org_a.pk), "_filters": {"id": router.id}, **values}
        return person.client.call("/api/db/machines", body, method="PATCH")

    for values in ({"approved_routes": [LAN]}, {"advertised_routes": [LAN]}, {"exit_node_approved": True}):
        assert code(patch(cast.bob, **values)) == (403, "FIELD_NOT_WRITABLE")
    assert code(patch(cast.alice, approved_routes=[LAN])) == (400, "INVALID_INPUT")
    assert code(patch(cast.alice, exit_node_approved=True)) == (403, "FORBIDDEN")
    data(patch(cast.alice, advertised_routes=[LAN, OTHER], approved_routes=[OTHER]))
    assert map_of(laptop).peers[router.id].routes == (OTHER,)
    data(patch(cast.alice, approved_routes=[]))
    assert map_of(laptop).peers[router.id].routes == ()
    assert Machine.all_orgs.get(pk=router.id).advertised_routes == [LAN, OTHER]
    switch(cast, allow_subnet_routing=False, allow_exit_nodes=True)
    assert code(patch(cast.alice, approved_routes=[LAN])) == (403, "FORBIDDEN")
    data(own(router, "update_flags", advertise_exit_node=True))
    data(patch(cast.alice, exit_node_approved=True))
    assert map_of(laptop).peers[router.id].exit_node
    data(patch(cast.alice, exit_node_approved=False))
    assert not map_of(laptop).peers[router.id].exit_node


def test_offers_made_at_enrolment_wait_for_approval(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    refused = register(key, advertise_routes=["10.0.0.1/8"])
    assert (code(refused), refused.json()["error"]["field"]) == ((400, "INVALID_INPUT"), "advertise_routes")
    # Exit nodes are not allowed yet: the machine joins, its offer is not taken up.
    router = enrol(key, "router", advertise_routes=[LAN], advertise_exit_node=True)
    own_view = map_of(router).self_node
    assert (own_view.advertised_routes, own_view.approved_routes) == ((LAN,), ())
    assert not Machine.all_orgs.get(pk=router.id).advertise_exit_node
    switch(cast, allow_exit_nodes=True)
    data(admin(cast.alice, "approve_routes", router))

    def again(**values):
        previous = {"machine_id": router.id, "proof": again.node_key}
        again.node_key = data(register(key, keys=router.keys, previous=previous, **values))["node_key"]
        return Machine.all_orgs.get(pk=router.id)

    again.node_key = router.node_key
    returned = again(advertise_exit_node=True)
    assert (returned.approved_routes, returned.advertise_exit_node) == ([LAN], True)
    assert not returned.exit_node_approved
    data(admin(cast.alice, "approve_exit_node", router))
    assert again().exit_node_approved
    returned = again(advertise_routes=[OTHER], advertise_exit_node=False)
    assert (returned.advertised_routes, returned.approved_routes) == ([OTHER], [])
    assert not returned.exit_node_approved


def test_lists_narrow_to_routers_and_to_what_waits(cast, pair):
    router, laptop = pair

    def names(**query):
        rows = data(cast.bob.client.get("/api/db/machines", {"org_id": cast.org_a.pk, **query}))
        return [row["name"] for row in rows]

    assert names(subnet_router="eq.true") == names(routes_pending="eq.true") == []
    data(own(router, "advertise_routes", routes=[LAN, OTHER]))
    assert (names(subnet_router="eq.true"), names(routes_pending="eq.true")) == ([], ["router"])
    data(admin(cast.alice, "approve_routes", router, routes=[OTHER]))
    assert names(subnet_router="eq.true") == names(routes_pending="eq.true") == ["router"]
    data(admin(cast.alice, "approve_routes", router))
    assert names(routes_pending="eq.true") == []
    assert names(routes_pending="eq.false") == ["laptop", "router"]
    switch(cast, allow_exit_nodes=True)
    data(own(laptop, "update_flags", advertise_exit_node=True))
    assert names(routes_pending="eq.true") == ["laptop"]
    data(admin(cast.alice, "approve_exit_node", laptop))
    assert names(routes_pending="eq.true") == []

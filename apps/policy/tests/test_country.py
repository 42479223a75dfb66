"""Where a machine is: the country of the address that the control plane hears it from."""

import pytest

from apps.core.addresses import country_of
from apps.machines.tests.agents import auth_key, enrol
from apps.policy.tests.calls import close, data, evaluate, rows, rule
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db

AMERICAN, GERMAN = "8.8.8.8", "194.25.0.60"


@pytest.mark.parametrize(
    ("address", "country"),
    [
        (AMERICAN, "US"),
        (GERMAN, "DE"),
        ("2a00:1450:4001:830::200e", "IE"),
        (f"::ffff:{GERMAN}", "DE"),
        ("10.1.2.3", None),
        ("100.64.0.1", None),
        ("127.0.0.1", None),
        ("fd00::1", None),
        ("not an address", None),
        (None, None),
    ],
)
def test_addresses_lead_to_countries(address, country):
    assert country_of(address) == country


@pytest.fixture
def pair(cast):
    """Two machines without any rule between them."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    return enrol(key, "alpha"), enrol(key, "beta")


def heard(agent, address, **headers):
    """The map that a machine gets for a heartbeat from this address."""
    client = agent.client
    client.defaults["REMOTE_ADDR"] = address
    return Netmap.from_json(data(client.call("/api/machine-heartbeat", {"status": "online"}, **headers)))


def test_a_rule_for_a_country_follows_the_machine_there_and_out_again(cast, pair):
    alpha, beta = pair
    rule(cast.alice, cast.org_a, source=alpha.id, destination=beta.id, source_country="DE", name="from home")
    asked = cast.bob, cast.org_a, alpha, beta
    unknown = evaluate(*asked, port=443)
    assert (unknown["allowed"], unknown["evaluated_conditions"]["source_country"]["actual"]) == (
        False,
        "unknown",
    )
    assert not heard(beta, "127.0.0.1").peers
    heard(alpha, GERMAN)
    assert evaluate(*asked, port=443)["allowed"]
    assert [peer.name for peer in heard(beta, "127.0.0.1").peers.values()] == ["alpha"]
    shown = data(rows(cast.bob, cast.org_a, "machines", select="name,country"))
    assert [(row["name"], row["country"]) for row in shown] == [("alpha", "DE"), ("beta", None)]
    heard(alpha, AMERICAN)
    gone = evaluate(*asked, port=443)
    assert (gone["allowed"], gone["evaluated_conditions"]["source_country"]) == (
        False,
        {"expected": "DE", "actual": "US", "met": False},
    )
    assert not heard(beta, "127.0.0.1").peers


def test_a_machine_cannot_say_where_it_is(cast, pair):
    alpha, beta = pair
    rule(cast.alice, cast.org_a, source_country="DE", name="from home")
    heard(alpha, AMERICAN, **{"X-Forwarded-For": GERMAN})
    assert not evaluate(cast.bob, cast.org_a, alpha, beta, port=443)["allowed"]
    told = {"status": "online", "public_address": GERMAN, "country": "DE", "endpoints": [f"{GERMAN}:41641"]}
    client = alpha.client
    client.defaults["REMOTE_ADDR"] = AMERICAN
    client.call("/api/machine-heartbeat", told)
    assert not evaluate(cast.bob, cast.org_a, alpha, beta, port=443)["allowed"]


def test_an_attribute_policy_judges_the_network_a_machine_comes_from(cast, pair):
    alpha, beta = pair
    rule(cast.alice, cast.org_a, name="all")
    policy = {
        "name": "office only",
        "effect": "require",
        "selector": "*",
        "conditions": {"network": ["194.25.0.0/16"]},
    }
    data(rows(cast.alice, cast.org_a, "abac_policies", policy, method="POST"), 201)
    heard(alpha, AMERICAN)
    told = evaluate(cast.bob, cast.org_a, alpha, beta, port=443)
    assert (told["allowed"], told["reason"]) == (False, "abac")
    heard(alpha, GERMAN)
    assert evaluate(cast.bob, cast.org_a, alpha, beta, port=443)["allowed"]

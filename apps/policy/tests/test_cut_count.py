"""Machines are asked over their sockets which open connections a plan would cut."""

import asyncio
import os
import time

import pytest

from apps.machines.census import ANSWER_SECONDS
from apps.machines.tests.live import drained, serving
from wire.connections import CAPABILITY, Counted, CutConnections, FilterTrial
from wire.control import FromAgent, FromServer

CAN_COUNT = (CAPABILITY,)
PLANNED_SECONDS = 1.0


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("census")) as running:
        without_rules(running)
        yield running


def without_rules(site):
    for row in rows(site, "GET"):
        rows(site, "DELETE", id=f"eq.{row['id']}")


def rows(site, method, values=None, **query):
    headers = {"Authorization": f"Bearer {site.token}"}
    params = {"org_id": site.org_id, **query}
    answer = site.http.request(
        method, "/api/db/acl_rules", params=params, json=values, headers=headers
    ).json()
    assert answer["success"], answer
    return answer["data"]


def rule(site, source, destination, **values):
    ends = {"source": source.id, "destination": destination.id}
    made = rows(site, "POST", {"name": "ssh", **ends, "protocol": "tcp", "ports": "22", **values})
    return (made[0] if isinstance(made, list) else made)["id"]


def policy(site, action, **values):
    return site.call("/api/policy", site.token, action=action, org_id=site.org_id, **values)


async def planned(site, **changes):
    return await asyncio.to_thread(policy, site, "plan", changes={"acl_rules": changes})


async def shown(site, plan):
    return await asyncio.to_thread(policy, site, "get_plan", plan_id=plan["plan_id"])


async def counted(site, plan):
    """The plan once it is no longer asking."""
    deadline = time.monotonic() + ANSWER_SECONDS + 2
    while (found := await shown(site, plan))["live_connections"]["state"] == "asking":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return found


async def answer(agent, question, *kinds, more=0):
    body = Counted(tuple(CutConnections(*kind) for kind in kinds), more).to_json()
    await agent.say(FromAgent.CUT_COUNTED, id=question, counted=body)


async def test_a_plan_is_answered_at_once_and_completed_by_the_machines(site):
    alpha, beta, gamma = (site.enrol(f"count-{name}") for name in ("alpha", "beta", "gamma"))
    ssh, _ = rule(site, alpha, beta), rule(site, gamma, beta, name="web", ports="80")
    async with alpha.socket(capabilities=CAN_COUNT), beta.socket(capabilities=CAN_COUNT), gamma.socket():
        for agent in (alpha, beta, gamma):
            await agent.until(FromServer.READY)
        began = time.monotonic()
        plan = await planned(site, delete=[ssh])
        assert time.monotonic() - began < PLANNED_SECONDS
        assert plan["live_connections"]["state"] == "asking"
        asked = await beta.until(FromServer.COUNT_CUT)
        assert FilterTrial.from_json(asked["trial"]).inbound == {alpha.id: None}
        kinds = ((alpha.id, "tcp", 22, ssh, 3), (alpha.id, "icmp", 0, None, 1))
        await answer(beta, asked["id"], *kinds, more=2)
        found = await counted(site, plan)
        told = {
            "state": "counted",
            "connections": 6,
            "machines_asked": 1,
            "machines_answered": 1,
            "complete": True,
        }
        assert found["live_connections"] == told
        first, second = found["live_connections_cut"]
        assert (first["source"]["name"], first["destination"]["name"]) == ("count-alpha", "count-beta")
        assert [first[key] for key in ("protocol", "ports", "connections", "rules")] == [
            "tcp",
            "22",
            3,
            ["ssh"],
        ]
        assert [second[key] for key in ("protocol", "ports", "connections", "rules")] == ["icmp", "*", 1, []]
        # A second answer to the same question counts nothing.
        await answer(beta, asked["id"], *kinds)
        await beta.say(FromAgent.PING)
        await beta.until(FromServer.ALIVE)
        assert (await shown(site, plan))["live_connections"] == told


async def test_a_change_that_takes_nothing_asks_nobody(site):
    alpha, beta = site.enrol("none-alpha"), site.enrol("none-beta")
    async with beta.socket(capabilities=CAN_COUNT):
        await beta.until(FromServer.READY)
        ends = {"source": alpha.id, "destination": beta.id}
        plan = await planned(site, create=[{"name": "more", **ends, "protocol": "tcp", "ports": "443"}])
        assert plan["live_connections"]["state"] == "counted"
        assert (plan["live_connections"]["machines_asked"], plan["live_connections_cut"]) == (0, [])


async def test_old_agents_and_silent_ones_are_said_to_be_silent(site):
    source, old, silent, gone = (site.enrol(f"silent-{name}") for name in ("source", "old", "new", "gone"))
    rules = [rule(site, source, end) for end in (old, silent, gone)]
    async with old.socket(), silent.socket(capabilities=CAN_COUNT):
        async with gone.socket(capabilities=CAN_COUNT):
            await gone.until(FromServer.READY)
        for agent in (old, silent):
            await agent.until(FromServer.READY)
        plan = await planned(site, delete=rules)
        await silent.until(FromServer.COUNT_CUT)
        # Nothing but what it always heard reaches the old one, and its link stays.
        await old.say(FromAgent.PING)
        while (heard := (await old.hear())[0]) is not FromServer.ALIVE:
            assert heard is not FromServer.COUNT_CUT
        assert plan["live_connections_cut"], "what could be cut, while nobody answered"
        found = await counted(site, plan)
        told = found["live_connections"]
        assert (told["machines_asked"] >= 2, told["machines_answered"], told["connections"]) == (True, 0, 0)
        assert found["live_connections_cut"] == []


async def test_a_machine_answers_for_itself_and_for_what_it_was_asked_alone(site):
    alpha, beta, mallory = (site.enrol(f"forge-{name}") for name in ("alpha", "beta", "mallory"))
    ssh = rule(site, alpha, beta)
    async with beta.socket(capabilities=CAN_COUNT), mallory.socket(capabilities=CAN_COUNT):
        for agent in (beta, mallory):
            await agent.until(FromServer.READY)
        plan = await planned(site, delete=[ssh])
        asked = await beta.until(FromServer.COUNT_CUT)
        # It knows the question's id, and was not asked.
        await answer(mallory, asked["id"], more=1000)
        await mallory.say(FromAgent.PING)
        await mallory.until(FromServer.ALIVE)
        # Of peers that nobody asked about it says nothing twice: the socket is closed.
        await answer(beta, asked["id"], (mallory.id, "tcp", 22, None, 1000))
        await drained(beta.ws)
        told = (await counted(site, plan))["live_connections"]
        assert (told["connections"], told["machines_answered"]) == (0, 0)


@pytest.mark.parametrize("counted", [None, {"cut": [{}]}, {"cut": [], "more": -1}, "x"])
async def test_a_malformed_answer_ends_the_socket(site, counted):
    agent = site.enrol("malformed")
    async with agent.socket(capabilities=CAN_COUNT):
        await agent.until(FromServer.READY)
        await agent.say(FromAgent.CUT_COUNTED, id="x", counted=counted)
        if counted is None:  # an empty answer to nothing is let go
            await agent.say(FromAgent.PING)
            await agent.until(FromServer.ALIVE)
        else:
            await drained(agent.ws)


@pytest.mark.skipif("QZTNA_REDIS_URL" not in os.environ, reason="several processes need Redis between them")
async def test_machines_on_other_processes_are_asked_as_well(tmp_path):
    # One directory: what one process has sealed the other can open.
    with serving(tmp_path, shared=True) as one, serving(tmp_path, shared=True) as other:
        without_rules(one)
        alpha, beta = (one.enrol(f"apart-{name}") for name in ("alpha", "beta"))
        ssh = rule(one, alpha, beta)
        beta.site = other
        async with beta.socket(capabilities=CAN_COUNT):
            await beta.until(FromServer.READY)
            plan = await planned(one, delete=[ssh])
            asked = await beta.until(FromServer.COUNT_CUT)
            await answer(beta, asked["id"], (alpha.id, "tcp", 22, ssh, 4))
            found = await counted(one, plan)
        assert [flow["connections"] for flow in found["live_connections_cut"]] == [4]

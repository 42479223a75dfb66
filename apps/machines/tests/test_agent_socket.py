"""The agents' socket on the real server, with a real WebSocket client."""

import asyncio
import json
import os
import subprocess
import sys
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from agent.engine.statements import Loss, PinnedKeys
from apps.machines.tests.agents import Keys, b64
from apps.machines.tests.live import ROOT, LiveAgent, drained, serving
from wire import control
from wire.control import FromAgent, FromServer
from wire.identity import confirm_message, key_exchange, key_exchange_complete
from wire.losses import digest

# What the product promises from the administrator's click to the agent.
PROMISED_SECONDS = 1.0
# A change made where nobody tells this control plane's sockets.
RENAME_ELSEWHERE = """
from apps.core.actors import Actor
from apps.machines.models import Machine
from apps.machines.services.edits import rename_machine
org_id = Machine.all_orgs.get(pk={machine_id!r}).org_id
actor = Actor(kind="user", role="owner")
rename_machine(org=org_id, actor=actor, machine_id={machine_id!r}, name="elsewhere")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as running:
        yield running


async def test_changes_reach_an_online_agent_within_a_second(site):
    alpha, beta = site.enrol("alpha"), site.enrol("beta")
    async with alpha.socket(), beta.socket():
        await beta.until(FromServer.READY)
        await alpha.until_map(lambda held: beta.id in held.peers)
        steps = (
            ("rename", {"name": "renamed"}, lambda held: held.peers[beta.id].name == "renamed"),
            ("quarantine", {}, lambda held: beta.id not in held.peers),
            ("unquarantine", {}, lambda held: beta.id in held.peers),
            ("disable", {}, lambda held: beta.id not in held.peers),
            ("enable", {}, lambda held: beta.id in held.peers),
            ("lock_device", {}, lambda held: beta.id not in held.peers),
            ("unlock_device", {}, lambda held: beta.id in held.peers),
        )
        for action, values, fits in steps:
            site.admin(action, beta, **values)
            assert await alpha.until_map(fits) < PROMISED_SECONDS, action
        await beta.until_map(lambda held: held.version >= alpha.map.version)
        assert alpha.id in beta.map.peers


async def test_the_time_to_enforcement_counts_what_was_acknowledged_and_nothing_else(site):
    def figures():
        stats = site.call("/api/db/_rpc", site.token, fn="get_dashboard_stats", _org_id=site.org_id)
        return stats["propagation"]

    alpha, beta = site.enrol("ack-alpha"), site.enrol("ack-beta")
    async with alpha.socket():
        await alpha.until_map(lambda held: beta.id in held.peers)
        before = figures()["acks"]
        site.admin("rename", beta, name="ack-renamed")
        await alpha.until_map(lambda held: held.peers[beta.id].name == "ack-renamed")
        # A version that was never sent, one that failed, and rubbish count nothing.
        for body in (
            {"version": 10**9},
            {"version": alpha.map.version, "errors": ["filter"]},
            {"version": "x"},
        ):
            await alpha.say(FromAgent.ACK, **body)
        await asyncio.sleep(1.5)
        assert figures()["acks"] == before
        for _ in range(2):
            await alpha.say(FromAgent.ACK, version=alpha.map.version, errors=[])
        await asyncio.sleep(2)
        after = figures()
    assert after["acks"] == before + 1
    assert 0 <= after["p50_ms"] <= after["p99_ms"]


async def test_a_quarantined_machine_loses_its_peers_and_its_relay(site):
    alpha, beta = site.enrol("q-alpha"), site.enrol("q-beta")
    async with alpha.socket():
        await alpha.until_map(lambda held: beta.id in held.peers)
        site.admin("quarantine", alpha, reason="stolen")
        token = await alpha.until(FromServer.TOKEN)
        assert token["relay_token"] is None
        await alpha.until_map(lambda held: not held.peers)
        assert alpha.map.self_node.status == "quarantined"
        assert alpha.map.self_node.quarantine_reason == "admin"


async def test_a_swapped_identity_that_an_agent_refused_is_in_the_trail(site):
    alpha, beta = site.enrol("i-alpha"), site.enrol("i-beta")
    async with alpha.socket():
        await alpha.until(FromServer.READY)
        old, new = b64(beta.keys.identity_public), b64(Keys().identity_public)
        event = {"kind": control.PEER_IDENTITY_CHANGED, "peer_machine_id": beta.id, "old": old, "new": new}
        await alpha.say(FromAgent.EVENT, **event)
        await alpha.say(FromAgent.PING)
        await alpha.until(FromServer.ALIVE)
    search = {"org_id": site.org_id, "audit_action": "machine.peer_identity_refused"}
    found = site.call("/api/governance", site.token, action="search_audit_logs", **search)
    assert [entry["details"]["new_identity"] for entry in found["logs"]] == [new]


async def test_a_deleted_machine_hears_that_it_is_final(site):
    alpha = site.enrol("doomed")
    async with alpha.socket():
        await alpha.until(FromServer.NETMAP)
        site.admin("delete", alpha)
        reason = await alpha.until(FromServer.CLOSE_REASON)
        assert (reason["code"], reason["final"]) == ("INVALID_NODE_KEY", True)
        with pytest.raises(ConnectionClosed):
            await alpha.hear()
        assert alpha.ws.close_code == control.CLOSE_CREDENTIAL


async def test_a_forged_signature_opens_nothing(site):
    alpha = site.enrol("forged")
    async with alpha.socket(forge=True):
        reason = await alpha.until(FromServer.CLOSE_REASON)
        assert reason["code"] == "INVALID_SIGNATURE"
    assert alpha.map is None


async def test_a_second_socket_closes_the_first(site):
    alpha = site.enrol("twice")
    async with alpha.socket():
        await alpha.until(FromServer.NETMAP)
        first = alpha.ws
        async with alpha.socket():
            await alpha.until(FromServer.NETMAP)
            await drained(first)
            assert first.close_code == control.CLOSE_REPLACED


async def test_a_current_map_is_not_sent_again(site):
    alpha = site.enrol("current")
    async with alpha.socket():
        await alpha.until(FromServer.NETMAP)
    async with alpha.socket(held=alpha.map.version):
        seen = []
        while FromServer.TOKEN not in seen:
            kind, _ = await alpha.hear()
            seen.append(kind)
        assert FromServer.NETMAP not in seen


async def test_an_agent_that_was_away_gets_what_changed(site):
    alpha, beta, gamma = (site.enrol(f"away-{name}") for name in ("alpha", "beta", "gamma"))
    async with alpha.socket():
        await alpha.until_map(lambda held: {beta.id, gamma.id} <= held.peers.keys())
        held = alpha.map
    site.admin("rename", beta, name="away-renamed")
    site.admin("quarantine", gamma, reason="gone")
    async with alpha.socket(held=held.version):
        while (frame := await alpha.hear())[0] is not FromServer.DELTA:
            assert frame[0] is not FromServer.NETMAP
    assert frame[1]["delta"]["from"] == held.version
    assert alpha.map.peers[beta.id].name == "away-renamed"
    assert gamma.id not in alpha.map.peers
    # Nobody believes in a version that never was.
    async with alpha.socket(held=10**9):
        await alpha.until(FromServer.NETMAP)


async def test_a_change_whose_message_was_lost_arrives_all_the_same(site):
    alpha, beta = site.enrol("lost-alpha"), site.enrol("lost-beta")
    async with alpha.socket():
        await alpha.until_map(lambda held: beta.id in held.peers)
        code = RENAME_ELSEWHERE.format(machine_id=beta.id)
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        elsewhere = asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=site.environment, check=True, timeout=60
        )
        async with asyncio.timeout(20):
            await asyncio.gather(
                elsewhere, alpha.until_map(lambda held: held.peers[beta.id].name == "elsewhere")
            )


async def test_endpoints_and_goodbye_reach_the_peers(site):
    alpha, beta = site.enrol("e-alpha"), site.enrol("e-beta")
    async with alpha.socket():
        async with beta.socket():
            await beta.until(FromServer.NETMAP)
            await beta.say(FromAgent.ENDPOINTS, endpoints=["192.0.2.1:41641"], derp_region="blr1")
            fits = lambda held: held.peers.get(beta.id) and held.peers[beta.id].endpoints  # noqa: E731
            assert await alpha.until_map(fits) < PROMISED_SECONDS
            await beta.say(FromAgent.HEARTBEAT, status="online", paths=[])
            await beta.until(FromServer.ALIVE)
            await beta.say(FromAgent.GOODBYE)
        assert await alpha.until_map(lambda held: not held.peers[beta.id].online) < PROMISED_SECONDS


async def test_a_hybrid_exchange_runs_through_the_mailbox(site):
    alpha, beta = site.enrol("x-alpha"), site.enrol("x-beta")
    ephemeral, ciphertext, nonce = os.urandom(32), os.urandom(1088), os.urandom(32)
    transcript = key_exchange(
        initiator_id=alpha.id,
        responder_id=beta.id,
        initiator_wireguard=alpha.keys.wireguard,
        responder_wireguard=beta.keys.wireguard,
        responder_mlkem=beta.keys.mlkem,
        x25519_public=ephemeral,
        mlkem_ciphertext=ciphertext,
        nonce=nonce,
    )
    offer = {
        "peer_machine_id": beta.id,
        "x25519_public": b64(ephemeral),
        "mlkem_ciphertext": b64(ciphertext),
        "nonce": b64(nonce),
        "signature": b64(alpha.keys.identity.sign(transcript)),
    }
    async with alpha.socket(), beta.socket():
        await alpha.until(FromServer.NETMAP)
        await beta.until(FromServer.NETMAP)
        forged = {**offer, "signature": b64(beta.keys.identity.sign(transcript))}
        await alpha.say(FromAgent.QUERY, id=1, kind="key_exchange.initiate", args=forged)
        assert (await alpha.until(FromServer.REPLY))["error"]["code"] == "INVALID_SIGNATURE"
        await alpha.say(FromAgent.QUERY, id=2, kind="key_exchange.initiate", args=offer)
        await alpha.until(FromServer.REPLY, lambda body: body["id"] == 2)
        nudge = await beta.until(FromServer.NUDGE)
        assert (nudge["what"], nudge["peer_machine_id"]) == ("key_exchange", alpha.id)
        await beta.say(FromAgent.QUERY, id=3, kind="key_exchange.pending", args={})
        [waiting] = (await beta.until(FromServer.REPLY))["data"]["exchanges"]
        assert waiting["mlkem_ciphertext"] == offer["mlkem_ciphertext"]
        confirm = confirm_message(transcript)[-32:]
        answer = {
            "exchange_id": waiting["exchange_id"],
            "confirm": b64(confirm),
            "signature": b64(
                beta.keys.identity.sign(key_exchange_complete(transcript=transcript, confirm=confirm))
            ),
        }
        await alpha.say(FromAgent.QUERY, id=4, kind="key_exchange.complete", args=answer)
        refused = await alpha.until(FromServer.REPLY)
        assert refused["error"]["code"] == "NOT_FOUND", "only the responder completes"
        await beta.say(FromAgent.QUERY, id=5, kind="key_exchange.complete", args=answer)
        assert (await beta.until(FromServer.REPLY))["data"]["status"] == "completed"
        assert (await alpha.until(FromServer.NUDGE))["peer_machine_id"] == beta.id
        args = {"exchange_id": waiting["exchange_id"]}
        await alpha.say(FromAgent.QUERY, id=6, kind="key_exchange.status", args=args)
        done = (await alpha.until(FromServer.REPLY))["data"]
        assert (done["confirm"], done["mlkem_ciphertext"]) == (answer["confirm"], None)


async def test_garbage_and_floods_end_the_socket(site):
    alpha = site.enrol("noisy")
    for frame in ("not json", json.dumps({"type": "netmap"}), json.dumps([1]), "x" * (64 * 1024 + 1)):
        async with alpha.socket():
            await alpha.until(FromServer.READY)
            await alpha.ws.send(frame)
            await drained(alpha.ws)


async def test_an_agent_that_loses_its_peers_is_told_why(site):
    alpha, *others = (site.enrol(f"why-{number}") for number in range(4))
    lost = [other.id for other in others]
    question = {"count": 3, "lost": digest(lost), "peers": lost, "nonce": "nonce-of-the-test"}
    async with alpha.socket():
        ready = await alpha.until(FromServer.READY)
        keys = PinnedKeys()
        assert keys.learn(ready["signing_keys"])
        await alpha.until_map(lambda held: set(lost) <= held.peers.keys())
        since = alpha.map.version
        await alpha.say(FromAgent.EXPLAIN, **question, **{"from": since, "to": since})
        answer = await alpha.until(FromServer.EXPLAINED)
        assert (answer["nonce"], answer["statement"]) == (question["nonce"], None)
        for other in others:
            site.admin("delete", other)
        await alpha.until_map(lambda held: not set(lost) & held.peers.keys())
        versions = {"from": since, "to": alpha.map.version}
        await alpha.say(FromAgent.EXPLAIN, **question, **versions)
        asked = Loss(alpha.id, site.org_id, *versions.values(), 3, digest(lost), question["nonce"])
        statement = (await alpha.until(FromServer.EXPLAINED))["statement"]
        assert keys.reason(statement, asked, time.time()) == "machines removed"
        await alpha.say(FromAgent.EXPLAIN, **{**question, **versions, "peers": ["x"]})
        await drained(alpha.ws)


async def test_a_node_key_that_is_none_hears_why(site):
    ghost = LiveAgent(site, "00000000-0000-4000-8000-000000000000", "nk_live_" + "0" * 64, Keys())
    headers = {"Authorization": f"Bearer {ghost.node_key}"}
    url = f"ws://{site.host}{control.PATH}"
    async with connect(
        url, additional_headers=headers, subprotocols=[control.SUBPROTOCOL], proxy=None
    ) as ghost.ws:
        reason = await ghost.until(FromServer.CLOSE_REASON)
        assert (reason["code"], reason["final"]) == ("INVALID_NODE_KEY", True)

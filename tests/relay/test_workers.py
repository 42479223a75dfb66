"""A relay of several processes: pairs on different workers, and one worker that ends."""

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.relay.test_process import WORKERS, Process, process  # noqa: F401 the fixture
from tests.relay.traffic import Numbered, everything_arrives


@pytest.fixture
async def workers(process):  # noqa: F811
    process.settings["QZRELAY_WORKERS"] = str(WORKERS)
    process.start()
    for number in range(WORKERS):
        process.admin_port += number
        await process.ready()
        process.admin_port -= number
    return process


async def ask(process, number, name):  # noqa: F811
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{process.admin_port + number}/metrics")).text
    return float(re.search(rf"^quickztna_relay_{re.escape(name)} (\S+)$", text, re.M)[1])


async def apart(process: Process):  # noqa: F811
    """Two clients on different workers, and the number of the second's."""
    first = await process.client().up()
    home = [await ask(process, number, "clients") for number in range(WORKERS)].index(1)
    for _ in range(40):
        before = await ask(process, home, "clients")
        second = await process.client().up()
        if await ask(process, home, "clients") == before:
            return first, second, 1 - home
    raise AssertionError("all clients are on one worker")


def worker_pids(process):  # noqa: F811
    pid = process.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_pair_on_different_workers_keeps_its_order_and_loses_nothing(workers):
    alpha, beta, _ = await apart(workers)
    await everything_arrives(alpha, beta)
    await everything_arrives(beta, alpha)
    crossed = [await ask(workers, number, 'link_frames_total{outcome="sent"}') for number in range(WORKERS)]
    assert all(crossed)


async def test_other_organisations_are_not_reached_across_workers_either(workers):
    alpha, beta, _ = await apart(workers)
    for _ in range(8):  # on both workers, with great likelihood
        stranger = await workers.client(org="org-b").up()
        stranger.link.send(beta.key, 4, b"evil")
        assert await asyncio.wait_for(stranger.gone.get(), 5) == beta.key
    alpha.link.send(beta.key, 4, b"good")
    assert (await asyncio.wait_for(beta.received.get(), 5))[2] == b"good"


async def test_who_left_is_missed_on_every_worker(workers):
    alpha, beta, _ = await apart(workers)
    beta.task.cancel()
    await asyncio.gather(beta.task, return_exceptions=True)
    async with asyncio.timeout(5):
        while alpha.gone.empty():
            alpha.link.send(beta.key, 4, b"abcd")
            await asyncio.sleep(0.05)
    assert alpha.gone.get_nowait() == beta.key


async def test_a_worker_restarts_under_traffic_and_nobody_notices(workers):
    alpha, beta, home = await apart(workers)
    before = worker_pids(workers)
    traffic = Numbered(alpha, beta)
    await traffic.until(lambda: traffic.sent == 200)
    os.kill(before[home], signal.SIGTERM)
    await traffic.until(
        lambda: before[home] not in worker_pids(workers) and len(worker_pids(workers)) == WORKERS
    )
    await traffic.until(lambda: traffic.sent % 200 == 0)
    await traffic.arrived()
    assert beta.states.empty()
    assert alpha.states.empty()


async def test_a_worker_that_dies_is_replaced_and_its_clients_are_reached_again(workers):
    alpha, beta, home = await apart(workers)
    os.kill(worker_pids(workers)[home], signal.SIGKILL)
    up = False
    while not up:
        up, _ = await beta.state()
    async with asyncio.timeout(5):
        while beta.received.empty():
            alpha.link.send(beta.key, 5, b"again")
            await asyncio.sleep(0.05)
    assert await beta.received.get() == (alpha.key, 5, b"again")
    async with asyncio.timeout(5):
        while len(worker_pids(workers)) < WORKERS:
            await asyncio.sleep(0.05)
    assert alpha.link.connected


async def test_the_links_are_closed_to_other_users(workers):
    sockets = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()]
    own = {Path(name).parent for name in sockets if re.fullmatch(r"/\S+/quickztna-relay-\w+/\d\.sock", name)}
    assert own
    assert all(directory.stat().st_mode & 0o077 == 0 for directory in own if directory.exists())


async def test_sigterm_ends_all_workers(workers):
    pids = worker_pids(workers)
    workers.process.send_signal(signal.SIGTERM)
    assert await workers.end() == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_workers_do_not_outlive_the_process_above_them(workers):
    pids = worker_pids(workers)
    workers.process.kill()
    await workers.end()
    async with asyncio.timeout(5):
        while [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
            await asyncio.sleep(0.05)

"""How often we ask where the internet sees us."""

import asyncio

from agent import discovery
from agent.discovery import Discovery
from agent.io.stun import Reflection
from wire.binary import Endpoint
from wire.netmap import RelayRegion

REGION = RelayRegion("blr", "Bengaluru", "relay.example", 443, 3478)


class Stun:
    """Answers from the survey `heard` on; then the test is over."""

    def __init__(self, heard):
        self.heard, self.asked = heard, []

    async def survey(self, regions, early):
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) < self.heard:
            return []
        return [Reflection("blr", Endpoint("203.0.113.7", 41641), 12.0)]


def test_a_survey_that_nobody_answered_is_soon_made_again_and_ever_later(monkeypatch):
    monkeypatch.setattr(discovery, "UNHEARD_SECONDS", 0.02)
    stun, findings = Stun(heard=4), []

    async def run():
        task = asyncio.create_task(
            Discovery(
                stun=stun,
                port=41641,
                local_addresses=lambda: ["10.0.0.2"],
                regions=lambda: [REGION],
                proven=lambda: True,
                mapped=lambda: None,
                found=findings.append,
            ).run()
        )
        while len(stun.asked) < 4:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(run())
    pauses = [later - earlier for earlier, later in zip(stun.asked, stun.asked[1:], strict=False)]
    assert len(stun.asked) == 4, "once heard, the next survey is minutes away"
    assert all(pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.08), strict=True))
    assert [found.udp for found in findings[-2:]] == [False, True]
    assert Endpoint("203.0.113.7", 41641) in findings[-1].endpoints

"""The daemon: joins engine, WireGuard, relay and control plane, and takes everything down again."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from agent import preferences, report
from agent.alarms import report_swapped_identities
from agent.answers import Answers
from agent.census import Census
from agent.clock import SleepWatch
from agent.diagnostics.answers import Diagnostics
from agent.discovery import Discovery, Findings
from agent.errors import AgentError
from agent.exchange import Exchanges
from agent.heartbeat import signs_of_life
from agent.host.guardian import Guardian
from agent.host.undo import undo
from agent.host.upkeep import Upkeep
from agent.io.control import ControlClient, tls_context
from agent.io.ipc import IpcServer
from agent.io.journal import Journal
from agent.io.link import AgentLink
from agent.io.stun import StunClient
from agent.keys import MachineKeys
from agent.latency import measure_relayed
from agent.membership import Membership
from agent.network import Network
from agent.platform import Platform
from agent.portmap.client import PortMapper
from agent.ports import Ports
from agent.relays import Relays
from agent.rootless.proxy import open_proxy
from agent.rootless.upkeep import InsideUpkeep
from agent.settings import Settings
from agent.state import Config, MachineState, Store
from agent.surroundings import Surroundings
from agent.tunnel import open_tunnel
from wire.binary import Endpoint, encode_key
from wire.disco import is_disco
from wire.identity import agent_auth
from wire.netmap import Netmap, RelayRegion

logger = logging.getLogger("agent.daemon")

HOME_FILE = "home.json"
POLL_SECONDS = 1.0
SLEPT_SECONDS = 5.0
SETTLING_SECONDS = 0.1
GOODBYE_SECONDS = 2.0


class Daemon:
    """One enrolled machine at work. run() until a signal or `ztna down`."""

    def __init__(
        self, *, settings: Settings, store: Store, machine: MachineState, api_url: str, platform: Platform
    ) -> None:
        self.settings, self.store, self.machine, self.platform = settings, store, machine, platform
        self.api_url = api_url
        self.keys = MachineKeys.from_state(machine)
        self.journal = Journal(store, undo)
        self.membership = Membership(
            store=store,
            machine=machine,
            use=self._use,
            relay_token=lambda token: setattr(self.relays, "token", token),
            told=lambda heartbeat: self.relays.told(heartbeat.get("derp_region")),
            look=lambda: self.exchanges.nudge(),
            count_cut=lambda *asked: self.census.ask(*asked),
            ended=self.stop,
            failures=lambda: [part for part in ("filter", "routes") if part in self.upkeep.problems],
        )
        self.latencies_ms: dict[str, float] = {}
        self._goodbye_heard: bool | None = None
        self.signalled: int | None = None
        self._stop, self._wake = asyncio.Event(), asyncio.Event()
        self._final: AgentError | None = None
        self.regions: tuple[RelayRegion, ...] = ()
        self._failed = False

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Bring the tunnel up, keep it, take it down; AgentError when the machine was removed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signal, number)
        self.journal.claim()
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            self.membership.restore()
            answers = Answers(self)
            ipc = IpcServer(
                self.settings.socket,
                reads={**answers.reads, **Diagnostics(self).reads},
                changes=answers.changes,
            )
            await ipc.start()
            stack.push_async_callback(ipc.close)
            self.settings.pid_file.write_text(f"{os.getpid()}\n")
            self.settings.pid_file.chmod(0o600)
            stack.callback(self.settings.pid_file.unlink, missing_ok=True)
            logger.info("started name=%s backend=%s", self.machine.name, self.wireguard.backend)
            if self.platform.mode == "userspace":
                proxy = await open_proxy(
                    resolve=self.membership.address_of,
                    make_socket=self.platform.make_socket,
                    path=self.settings.proxy_socket,
                    place=self.settings.proxy,
                )
                stack.callback(proxy.close)
            started()
            await self._work()
        logger.info("stopped")
        if self._final is not None:
            raise self._final

    async def change(self, changes: Mapping[str, Any]) -> Config:
        """Change preferences: at the control plane, on disk, on this host."""
        config = await preferences.change(self.store, self.client, self.machine, changes)
        self.upkeep.configure(config)
        return config

    def stop(self, error: AgentError | None = None) -> None:
        """End run() in good order, or with an error."""
        self._final = error or self._final
        self._stop.set()

    def _signal(self, number: int) -> None:
        self.signalled = number
        self.stop()

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        """Make everything that must be unmade; each piece is on the stack before the next."""
        # Before anything is made, for a bad CA file must not cost a tunnel.
        tls, mark = tls_context(self.settings.ca_file), self.platform.mark
        self.client = ControlClient(self.api_url, ca_file=self.settings.ca_file, mark=mark)
        stack.push_async_callback(self.client.close)
        self.ports = Ports(self.settings, self.platform)
        stack.callback(self.platform.close)
        stack.callback(Guardian(self.store.directory).close)
        stack.callback(lambda: self.journal.replay(crashed=self._failed))
        self._open_tunnel()
        stack.callback(lambda: self.wireguard.close())
        self.port = self.ports.open(
            receive=self._packet, data=lambda *packets: self.network.receive_data(*packets)
        )
        stack.callback(self.port.close)
        self._stun = StunClient(self.port.send)
        self.relays = Relays(
            disco_private=self.keys.disco,
            receive=lambda key, segment, batch: self.network.proxy.receive(key, segment, batch),
            changed=self._relay_changed,
            moved=self._home_moved,
            failed=lambda: self.discovery.survey_now(),
            ca_file=self.settings.ca_file,
            mark=mark,
        )
        stack.push_async_callback(self.relays.close)
        self.network = Network(
            store=self.store,
            keys=self.keys,
            wireguard=self.wireguard,
            port=self.port,
            wireguard_port=self.ports.wireguard,
            send_relayed=self.relays.send,
            psk_seconds=self.settings.psk_seconds,
            make_socket=self.platform.make_socket,
        )
        kind = InsideUpkeep if self.platform.mode == "userspace" else Upkeep
        self.upkeep = kind(
            journal=self.journal,
            interface=self.settings.interface,
            mark=mark,
            config=self.store.config(),
            network=self.network,
            now=self.membership.clock.now,
        )
        stack.push_async_callback(self.upkeep.close)
        stack.callback(self.network.proxy.close)
        self.port.start()
        self.network.proxy.start()
        self.portmap = PortMapper(
            port=self.ports.number, mark=mark, changed=lambda: self.discovery.port_mapped()
        )
        self.discovery = Discovery(
            stun=self._stun,
            port=self.ports.number,
            local_addresses=self._local_addresses,
            regions=lambda: self.regions,
            proven=self._all_direct,
            mapped=lambda: self.portmap.mapping.external if self.portmap.mapping else None,
            found=self._surveyed,
            avoided=self.relays.avoided,
            home=(self.store.load_json(HOME_FILE) or {}).get("region"),
        )
        self.exchanges = Exchanges(
            network=self.network,
            client=self.client,
            keys=self.keys,
            machine_id=self.machine.machine_id,
            node_key=self.machine.node_key,
        )
        self.link = AgentLink(
            url=self.api_url,
            org_id=self.machine.org_id,
            machine_id=self.machine.machine_id,
            node_key=self.machine.node_key,
            sign=self._sign,
            tls=tls,
            mark=mark,
            events=self.membership,
            heartbeat=self.heartbeat,
            netmap_version=lambda: self.membership.version,
        )
        self.census = Census(self.upkeep.count_cut, self.link.send)
        self.surroundings = Surroundings(self._local_addresses, self._network_settled)
        stack.callback(self.platform.watch_network(self.surroundings.changed))

    def _open_tunnel(self) -> None:
        self.wireguard = open_tunnel(
            platform=self.platform,
            journal=self.journal,
            keys=self.keys,
            machine=self.machine,
            interface=self.settings.interface,
            port=self.ports.wireguard,
        )

    async def _work(self) -> None:
        """Run every part until told to stop; a part that fails ends the daemon in good order."""
        work: list[Coroutine[Any, Any, None]] = [
            self.link.run(),
            self.discovery.run(),
            *([self.portmap.run()] if self.settings.port_mapping else []),
            self.exchanges.run(),
            self._tick(),
            self.upkeep.run(),
            *signs_of_life(self),
            measure_relayed(self.network, self.latencies_ms, self.platform.make_socket),
            report_swapped_identities(self.network, self.link.send),
        ]
        tasks = [asyncio.create_task(part) for part in work]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for part in tasks:
                if part.done():
                    self._failed = True
                    logger.error("a part failed", exc_info=part.exception())
                    text = f"the daemon failed; see {self.settings.log_file}"
                    self._final = AgentError("INTERNAL_ERROR", text)
            await self.goodbye()
        finally:
            stopping.cancel()
            for part in tasks:
                part.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)
            self.membership.flush()

    async def goodbye(self) -> bool:
        """Be offline at once, said once; whether the control plane heard it."""
        if self._goodbye_heard is None:
            self._goodbye_heard = False
            with contextlib.suppress(TimeoutError, AgentError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    self._goodbye_heard = await self.link.goodbye() or await self._goodbye_by_http()
        return self._goodbye_heard

    async def _goodbye_by_http(self) -> bool:
        if self._final is not None:
            return False
        body = {"status": "offline"}
        await self.client.call("POST", "/api/machine-heartbeat", body, token=self.machine.node_key)
        return True

    async def _tick(self) -> None:
        """Timers of the paths, and WireGuard's own view at a steady pace."""
        polled, sleep = -math.inf, SleepWatch()
        while True:
            now = time.monotonic()
            pace = SETTLING_SECONDS if self.network.settling() else POLL_SECONDS
            due = min(self.network.next_timeout(), polled + pace)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.001, due - now)):
                    await self._wake.wait()
            self._wake.clear()
            if sleep.slept() > SLEPT_SECONDS:
                # Nobody waited for us: no connection and no NAT's mapping is worth anything now.
                self._network_settled(kept=())
            now = time.monotonic()
            self.network.handle_timeout(now)
            if now >= polled + pace:
                polled = now
                self._poll(now)

    def _poll(self, now: float) -> None:
        before = self._paths()
        try:
            if not self.wireguard.alive():
                raise OSError("the interface is gone")
            self.network.poll(now)
        except OSError as error:
            logger.error("WireGuard was lost and is rebuilt: %s", error)
            self.wireguard.close()
            self.journal.replay(crashed=True)
            self._open_tunnel()
            self.network.rebuild(self.wireguard, now)
            self.upkeep.rebuilt()
        self.upkeep.steer()
        if before != self._paths():
            self.link.heartbeat_now()
        self.membership.flush()

    def _paths(self) -> list[tuple[str, str]]:
        return [(link.label, link.pqc) for link in self.network.links.values()]

    def heartbeat(self) -> dict[str, Any]:
        """What a heartbeat carries."""
        return report.heartbeat(
            self.network, self.discovery.latest, self.relays.home, self.latencies_ms, self.portmap.mapping
        )

    def _use(self, netmap: Netmap) -> None:
        """Make the host that of the map."""
        regions_changed, self.regions = self.regions != netmap.relays, netmap.relays
        self.upkeep.apply(netmap)
        self.network.apply(netmap, time.monotonic())
        self.upkeep.steer()
        self._choose_relays()
        if regions_changed:
            self.discovery.survey_now()
        self.exchanges.nudge()
        self._wake.set()

    def _surveyed(self, found: Findings) -> None:
        self._choose_relays()
        self.network.set_own_endpoints(found.endpoints, time.monotonic())
        self._wake.set()
        self.link.heartbeat_now()

    def _choose_relays(self) -> None:
        homes = {link.keys.disco: link.peer.derp_region for link in self.network.links.values()}
        self.relays.use(self.regions, self.discovery.latest.home, homes)

    def _home_moved(self) -> None:
        """Peers are to find us elsewhere from now on."""
        self.store.save_json(HOME_FILE, {"region": self.relays.home})
        self.link.heartbeat_now()
        # The link may stand already, for peers that are at home there.
        self._relay_changed()

    def _relay_changed(self) -> None:
        if self.relays.connected:
            self.network.relay_connected(time.monotonic())
        else:
            self.network.relay_lost()
        self._wake.set()

    def _local_addresses(self) -> list[str]:
        return self.platform.local_addresses(excluding=self.settings.interface)

    def _network_settled(self, kept: Sequence[str]) -> None:
        """kept: addresses of ours whose connections may stand."""
        logger.info("the network changed; paths are proven anew")
        self.upkeep.network_changed()
        self.relays.network_changed(kept)
        self.link.network_changed(kept)
        self.network.link_changed(time.monotonic())
        self.discovery.survey_now()
        self.portmap.network_changed()
        self._wake.set()

    def _all_direct(self) -> bool:
        return all(link.path.direct for link in self.network.links.values() if link.peer.online)

    def _packet(self, packet: bytes, source: Endpoint) -> None:
        if is_disco(packet):
            self.network.receive_direct(packet, source, time.monotonic())
            self._wake.set()
        else:
            self._stun.receive(packet, source)

    def _sign(self, challenge: str, host: str, session_id: str) -> str:
        message = agent_auth(
            challenge=challenge, host=host, session_id=session_id, machine_id=self.machine.machine_id
        )
        return encode_key(self.keys.sign(message))

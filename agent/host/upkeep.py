"""The host kept in step with map and preferences: filter first, then routes, then names."""

import asyncio
import ipaddress
import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.engine.connections import count_cut
from agent.engine.filter import FilterSettings
from agent.engine.routes import (
    AUTO,
    DEFAULT_ROUTES,
    LocalNetwork,
    RoutePlan,
    choose,
    exit_node,
    offered,
    plan,
)
from agent.host.conntrack import open_connections
from agent.host.filter import PacketFilter
from agent.host.flowlog import FlowLog
from agent.host.liveness import Liveness
from agent.host.names import Names
from agent.host.routes import HostRoutes
from agent.host.schedule import Schedule
from agent.io.journal import Journal
from agent.network import Network
from agent.state import Config
from wire.connections import Counted, FilterTrial
from wire.netmap import Netmap

logger = logging.getLogger("agent.host")

# Routes of the host can change without a notice that we listen to.
LOOK_SECONDS = 10.0


class Upkeep:
    """One host. A part that fails is named in `problems` and tried again; the others go on."""

    def __init__(
        self,
        *,
        journal: Journal,
        interface: str,
        mark: int | None,
        config: Config,
        network: Network,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.config, self._mark, self._network = config, mark or 0, network
        self._interface, self._now = interface, now
        self._schedule = Schedule(now, self._filter)
        self.filter = PacketFilter(journal, interface)
        self.flows = FlowLog()
        self.routes = HostRoutes(journal, interface, self._mark)
        self.dns = Names(journal, interface, self._mark, self._avoids_tunnel)
        self._liveness = Liveness(network)
        self._netmap: Netmap | None = None
        # The map with the rules that are in force at the moment.
        self.judged: Netmap | None = None
        self._plan = RoutePlan()
        self._local: list[LocalNetwork] = []
        self._looked = -math.inf
        self.carriers: dict[str, str] = {}
        self.exit_node: str | None = None
        self.problems: dict[str, str] = {}

    def apply(self, netmap: Netmap) -> None:
        """A map came. Call before peers are told: no peer gets in before the filter stands."""
        self._netmap = netmap
        own = netmap.self_node
        self._filter()
        forwards = bool(own.approved_routes) or (own.advertise_exit_node and own.exit_node_approved)
        self._try("forwarding", lambda: self.routes.forward(forwards or self.config.gateway))
        wanted = netmap.dns is not None and netmap.dns.magic_dns and self.config.accept_dns
        extra = (self.config.dns_domain,) if self.config.dns_domain else ()
        self.dns.apply(netmap if wanted and own.status != "quarantined" else None, extra)

    def _filter(self) -> None:
        """Put in force what the map allows at this moment."""
        netmap, now = self._netmap, self._now()
        if netmap is None:
            return
        rules = netmap.packet_filter
        settings = FilterSettings(
            self._interface,
            self._mark,
            shields_up=netmap.self_node.shields_up,
            gateway=self.config.gateway,
            log_group=self.flows.want(rules is not None and rules.log),
        )
        judged = self.judged = replace(netmap, packet_filter=rules.in_force(now)) if rules else netmap
        self._try("filter", lambda: self._apply_filter(judged, settings))
        self._schedule.plan(rules.next_change(now) if rules else None)

    def _apply_filter(self, netmap: Netmap, settings: FilterSettings) -> None:
        """Kernels that can't log must filter all the same."""
        try:
            self.filter.apply(netmap, settings)
        except OSError as error:
            if settings.log_group is None:
                raise
            self.flows.give_up(error)
            self.filter.apply(netmap, replace(settings, log_group=None))

    def count_cut(self, trial: FilterTrial) -> Counted:
        """Open connections that a filter would cut if it came now; OSError when they can't be listed.

        Takes as long as the kernel needs to list them: not for the event loop.
        """
        judged = self.judged
        if judged is None:
            return Counted()
        timed = replace(trial, packet_filter=trial.packet_filter.in_force(self._now()))
        return count_cut(judged, timed, open_connections(), shields_up=judged.self_node.shields_up)

    def configure(self, config: Config) -> None:
        """Preferences changed."""
        self.config = config
        if self._netmap is not None:
            self.apply(self._netmap)
            self.steer()

    def steer(self) -> None:
        """Choose who carries what by how the peers do now. Call after peers are told, and every second."""
        netmap, config = self._netmap, self.config
        if netmap is None:
            return
        peers = [peer for peer in netmap.peers.values() if peer.machine_id in self._network.links]
        local = self._local_networks() if config.accept_routes or config.exit_node else []
        health = self._liveness.health()
        offers = offered(peers, local, netmap.self_node.approved_routes) if config.accept_routes else {}
        self.carriers = choose(offers, health, self.carriers)
        self.exit_node = exit_node(config.exit_node, peers, health, self.exit_node)
        self._watch(offers, [peer.machine_id for peer in peers if peer.exit_node])
        prefixes: dict[str, list[str]] = {}
        for prefix, machine_id in sorted(self.carriers.items()):
            prefixes.setdefault(machine_id, []).append(prefix)
        if self.exit_node:
            prefixes.setdefault(self.exit_node, []).extend(DEFAULT_ROUTES)
        self._network.carry({key: tuple(value) for key, value in prefixes.items()})
        self._lead(local)

    def _lead(self, local: list[LocalNetwork]) -> None:
        """Make the host's routes lead where the peers were chosen."""
        config = self.config
        self._plan = plan(
            self.carriers,
            everything=bool(config.exit_node),
            local=local,
            allow_lan=config.exit_node_allow_lan_access,
            user_bypass=config.bypass,
        )
        self.problems.pop("exit node", None)
        if config.exit_node and self.exit_node is None:
            self.problems["exit node"] = f"{config.exit_node} is not here; nothing leaves in clear meanwhile"
        self._try("routes", lambda: self.routes.apply(self._plan))
        lan = [str(network.prefix) for network in local if network.connected]
        self._try("kill switch", lambda: self._guard(lan))

    async def run(self) -> None:
        """Keep it all in place until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.filter.watch())
            group.create_task(self._schedule.run())
            group.create_task(self.dns.run())
            group.create_task(self._liveness.run())

    def rebuilt(self) -> None:
        """Everything was undone and the interface is new: set it all again."""
        self.filter.forget()
        self.routes.forget()
        self.dns.forget()
        if self._netmap is not None:
            self.apply(self._netmap)
            self.steer()

    async def close(self) -> None:
        """Stop; the journal undoes what is left."""
        await self.dns.close()
        self.flows.close()
        self.filter.close()

    def status(self) -> dict[str, Any]:
        """What `status` and `route list` show of this host."""
        return {
            "accept_routes": self.config.accept_routes,
            "exit_node": self.exit_node,
            "exit_node_wanted": self.config.exit_node,
            "exit_node_allow_lan_access": self.config.exit_node_allow_lan_access,
            "kill_switch": bool(self.config.exit_node),
            "carriers": self.carriers,
            "bypass": sorted(self._plan.bypass),
            "filter_table": self.filter.table,
            "problems": self.problems,
        }

    def network_changed(self) -> None:
        """Links or addresses of the host changed."""
        self._looked = -math.inf

    def _local_networks(self) -> list[LocalNetwork]:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._local, self._looked = self.routes.local_networks(), time.monotonic()
        return self._local

    def _guard(self, lan: list[str]) -> None:
        if self.config.exit_node:
            allow_lan, bypass = self.config.exit_node_allow_lan_access, list(self.config.bypass)
            self.routes.guard(allow_lan=allow_lan, lan=lan, bypass=bypass)
        else:
            self.routes.unguard()

    def _watch(self, offers: dict[str, list[str]], exits: list[str]) -> None:
        """Probe where there is a choice."""
        contested = {prefix for prefixes in offers.values() for prefix in prefixes}
        contested = {
            prefix for prefix in contested if sum(prefix in prefixes for prefixes in offers.values()) > 1
        }
        watched = {key for key, prefixes in offers.items() if contested & set(prefixes)}
        if self.config.exit_node == AUTO and len(exits) > 1:
            watched.update(exits)
        self._liveness.watch(watched)

    def _avoids_tunnel(self, address: str) -> bool:
        """A resolver behind a subnet router is asked through the tunnel, any other beside it."""
        parsed = ipaddress.ip_address(address)
        networks = (ipaddress.ip_network(prefix) for prefix in self.carriers)
        return not any(parsed.version == network.version and parsed in network for network in networks)

    def _try(self, part: str, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            if self.problems.get(part) != str(error):
                logger.error("%s: %s", part, error)
            self.problems[part] = str(error)
        else:
            self.problems.pop(part, None)

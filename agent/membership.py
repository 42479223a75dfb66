"""What the control plane says of this machine: its map, its standing, and what waits for it."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.clock import ServerClock
from agent.errors import AgentError
from agent.mapguard import MapGuard
from agent.savedmap import SavedMap
from agent.state import MachineState, Store
from wire.binary import WireError
from wire.connections import FilterTrial
from wire.netmap import Netmap, NetmapDelta, SelfNode

logger = logging.getLogger("agent.membership")

CLOCK_FILE = "clock.json"
# A clock that is lost with a crash is older by so much at most.
CLOCK_SAVED_SECONDS = 60.0


class Membership:
    """Hears the control plane; see `agent.io.link.LinkEvents`. What a map takes away passes the guard.

    use(netmap) makes the host that of the map, failures() names what of it failed; told(heartbeat) is
    called when the control plane has taken what a heartbeat says; ended(error) is
    called when the machine was removed or its key is dead; look() when something waits at the control
    plane. count_cut(question, trial): see `agent.census`. changed_at is monotonic seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        machine: MachineState,
        use: Callable[[Netmap], None],
        relay_token: Callable[[str], None],
        told: Callable[[dict[str, Any]], None],
        look: Callable[[], None],
        count_cut: Callable[[str, FilterTrial], None],
        ended: Callable[[AgentError], None],
        failures: Callable[[], list[str]],
    ) -> None:
        self._store, self._saved = store, SavedMap(store)
        self._use, self._relay_token, self._look, self._ended = use, relay_token, look, ended
        self.on_heartbeat_taken = told
        self.failures, self.on_count_cut, self.clock = failures, count_cut, ServerClock()
        self._clock_saved_at = -math.inf
        self._called = machine.name, machine.magicdns_name, machine.tags
        self.netmap: Netmap | None = None
        self.status = machine.status
        self.guard = MapGuard(
            store=store,
            machine=machine,
            now=self.clock.now,
            use=self._keep,
        )
        self.on_explained = self.guard.answered
        self.refusal: str | None = None
        self.changed_at: float | None = None

    @property
    def version(self) -> int | None:
        """Of the map that the control plane believes we have."""
        netmap = self.guard.offered or self.netmap
        return netmap.version if netmap else None

    def settled(self) -> bool:
        """Whether that is the map that we work by."""
        return self.guard.offered is None

    def restore(self) -> None:
        """Work with the last good map, and the time as it was known, until the control plane answers."""
        try:
            self.clock.restore(self._store.load_json(CLOCK_FILE))
        except AgentError as error:
            logger.warning("the saved time is of no use: %s", error)
        if (saved := self._saved.load()) is not None:
            self._take(saved)

    def flush(self) -> None:
        """Keep the map and the time on disk."""
        self._saved.flush()
        now, saved = time.monotonic(), self.clock.saved()
        if saved is not None and now - self._clock_saved_at > CLOCK_SAVED_SECONDS:
            self._clock_saved_at = now
            try:
                self._store.save_json(CLOCK_FILE, saved)
            except AgentError as error:
                logger.error("%s", error)

    def on_time(self, server_time: float) -> None:
        """The control plane's clock; if ours was wrong, rules that depend on the time are judged anew."""
        if self.clock.heard(server_time) and self.netmap is not None:
            logger.info("the time is that of the control plane")
            self._use(self.netmap)

    def address_of(self, name: str) -> str | None:
        """The tailnet address of a machine by its name or its whole MagicDNS name."""
        wanted = name.rstrip(".").casefold()
        for peer in self.netmap.peers.values() if self.netmap else ():
            if wanted in (peer.name.casefold(), peer.magicdns_name.casefold()):
                return peer.tailnet_ip
        return None

    def on_link(self, connected: bool, reason: str | None) -> None:
        """The control plane link came up or went down; tunnels do not care."""
        if connected:
            logger.info("control plane link is up")
        else:
            self.guard.unlinked()

    def on_ready(self, status: str, signing_keys: Any) -> None:
        """The control plane accepted us."""
        self.guard.linked(signing_keys)
        self.status, self.refusal = status, None
        self._look()

    def on_netmap(self, netmap: Netmap) -> None:
        """A whole map."""
        if self.guard.weigh(self.netmap, netmap):
            self._keep(netmap)

    def on_delta(self, delta: NetmapDelta) -> bool:
        """A change to the map that we hold."""
        base = self.guard.offered or self.netmap
        if base is None:
            return False
        try:
            netmap = base.apply(delta)
        except WireError:
            return False
        if delta.is_empty and base is self.netmap:
            # A restart resumes from the version on disk; a whole map is not written for a number.
            self.netmap = netmap
        else:
            self.on_netmap(netmap)
        return True

    def on_relay_token(self, token: str) -> None:
        """A fresh relay token."""
        self._relay_token(token)

    def on_nudge(self, what: str, peer_machine_id: str | None) -> None:
        """Something waits at the control plane."""
        if what == "key_exchange":
            self._look()

    def on_refused(self, code: str, message: str, final: bool, proof: Mapping[str, Any]) -> None:
        """The control plane does not want us: for now, or (final) for good, if that is proven."""
        if self.refusal != f"{code}: {message}":
            logger.warning("the control plane refuses this machine: %s: %s", code, message)
        self.refusal = f"{code}: {message}"
        if code == "INVALID_NODE_KEY" and final:
            if not self.guard.removed(proof.get("statement"), proof.get("signing_keys")):
                self.refusal += " (not proven; tunnels stay up)"
                return
            self._store.remove("state.json")
            text = "this machine was removed by an administrator. Enrol it again with a login or a key"
            self._ended(AgentError(code, f"{code}: {text}"))
        elif code == "KEY_EXPIRED":
            self._ended(AgentError(code, f"{code}: {message} Run 'ztna up --force-reauth'"))

    def _keep(self, netmap: Netmap) -> None:
        self._take(netmap)
        self._saved.changed(netmap)
        self._remember(netmap.self_node)

    def _remember(self, own: SelfNode) -> None:
        """What this machine is called now is told without the daemon, too."""
        called = own.name, own.magicdns_name, tuple(own.tags)
        if called == self._called:
            return
        self._called = called
        name, full_name, tags = called
        try:
            if (machine := self._store.machine()) is not None:
                self._store.save(replace(machine, name=name, magicdns_name=full_name, tags=tags))
        except AgentError as error:
            logger.error("%s", error)

    def _take(self, netmap: Netmap) -> None:
        self.netmap, self.status = netmap, netmap.self_node.status
        self.changed_at = time.monotonic()
        self._use(netmap)

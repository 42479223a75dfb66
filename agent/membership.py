"""What the control plane says of this machine: its map, its standing, and what waits for it."""

import logging
import time
from collections.abc import Callable

from agent.clock import ServerClock
from agent.errors import AgentError
from agent.savedmap import SavedMap
from agent.state import Store
from wire.binary import WireError
from wire.connections import FilterTrial
from wire.netmap import Netmap, NetmapDelta

logger = logging.getLogger("agent.membership")


class Membership:
    """Hears the control plane; see `agent.io.link.LinkEvents`.

    use(netmap) makes the host that of the map, failures() names what of it failed; ended(error) is
    called when the machine was removed or its key is dead; look() when something waits at the control
    plane. count_cut(question, trial): see `agent.census`. changed_at is monotonic seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        status: str,
        use: Callable[[Netmap], None],
        relay_token: Callable[[str], None],
        look: Callable[[], None],
        count_cut: Callable[[str, FilterTrial], None],
        ended: Callable[[AgentError], None],
        failures: Callable[[], list[str]],
    ) -> None:
        self._store, self._saved = store, SavedMap(store)
        self._use, self._relay_token, self._look, self._ended = use, relay_token, look, ended
        self.failures, self.on_count_cut, self.clock = failures, count_cut, ServerClock()
        self.on_time = self.clock.heard
        self.netmap: Netmap | None = None
        self.status = status
        self.refusal: str | None = None
        self.changed_at: float | None = None

    def restore(self) -> None:
        """Work with the last good map until the control plane answers."""
        if (saved := self._saved.load()) is not None:
            self._take(saved)

    def flush(self) -> None:
        """Keep the map on disk."""
        self._saved.flush()

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

    def on_ready(self, status: str) -> None:
        """The control plane accepted us."""
        self.status, self.refusal = status, None
        self._look()

    def on_netmap(self, netmap: Netmap) -> None:
        """A whole map."""
        self._take(netmap)
        self._saved.changed(netmap)

    def on_delta(self, delta: NetmapDelta) -> bool:
        """A change to the map that we hold."""
        if self.netmap is None:
            return False
        try:
            netmap = self.netmap.apply(delta)
        except WireError:
            return False
        if delta.is_empty:
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

    def on_refused(self, code: str, message: str, final: bool) -> None:
        """The control plane does not want us: for now, or (final) for good."""
        if self.refusal != f"{code}: {message}":
            logger.warning("the control plane refuses this machine: %s: %s", code, message)
        self.refusal = f"{code}: {message}"
        if code == "INVALID_NODE_KEY" and final:
            self._store.remove("state.json")
            text = "this machine was removed by an administrator. Enrol it again with a login or a key"
            self._ended(AgentError(code, f"{code}: {text}"))
        elif code == "KEY_EXPIRED":
            self._ended(AgentError(code, f"{code}: {message} Run 'ztna up --force-reauth'"))

    def _take(self, netmap: Netmap) -> None:
        self.netmap, self.status = netmap, netmap.self_node.status
        self.changed_at = time.monotonic()
        self._use(netmap)

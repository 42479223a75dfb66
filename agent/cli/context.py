"""What commands share: settings, files, the daemon's socket, the control plane."""

import json
import socket
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from agent.errors import AgentError, not_authenticated, not_registered, not_running
from agent.settings import DEFAULT_API_URL, Settings, check_api_url, load
from agent.state import Config, MachineState, Store

if TYPE_CHECKING:
    from agent.io.control import ControlClient
    from agent.session import Session

_T = TypeVar("_T")
DAEMON_SECONDS = 5.0
_SAVED = (
    *("name", "tailnet_ip", "tailnet_ipv6", "magicdns_name", "os"),
    *("derp_region", "last_seen", "owner_email", "tags", "routes"),
)


class Context:
    """One run of the command line."""

    def __init__(self, log_level: str | None) -> None:
        self._log_level = log_level

    @cached_property
    def settings(self) -> Settings:
        """Directories and overrides."""
        return load(self._log_level)

    @cached_property
    def store(self) -> Store:
        """Files of this profile."""
        return Store(self.settings.directory)

    def machine(self) -> MachineState:
        """The enrolment; AgentError without one."""
        machine = self.store.machine()
        if machine is None:
            raise not_registered()
        return machine

    def api_url(self, given: str | None = None) -> str:
        """The control plane: as given, as stored, from the environment, or the public one."""
        stored = self.store.config().api_url
        return check_api_url(given or stored or self.settings.api_url or DEFAULT_API_URL)

    def ask(self, command: str, **arguments: Any) -> Any:
        """One question to the daemon; AgentError NOT_RUNNING when there is none."""
        timeout_seconds = DAEMON_SECONDS + float(arguments.get("timeout_seconds", 0))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            try:
                connection.connect(str(self.settings.socket))
            except PermissionError:
                raise AgentError("PERMISSION_DENIED", "the daemon's socket belongs to another user") from None
            except OSError:
                raise not_running() from None
            try:
                connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    answer = json.loads(stream.readline())
            except (OSError, ValueError):
                raise AgentError("NO_ANSWER", "the daemon does not answer; see 'ztna log'") from None
        if "error" in answer:
            raise AgentError(answer["error"]["code"], answer["error"]["message"])
        return answer["data"]

    def ask_if_running(self, command: str, **arguments: Any) -> Any:
        """As ask, but None without a daemon."""
        try:
            return self.ask(command, **arguments)
        except AgentError as error:
            if error.code in ("NOT_RUNNING", "NO_ANSWER"):
                return None
            raise

    def peers(self) -> list[dict[str, Any]]:
        """Peers of an enrolled machine: from the daemon, or the last map without one."""
        self.machine()
        found: list[dict[str, Any]] | None = self.ask_if_running("peers")
        return self._saved_peers() if found is None else found

    def find_peer(self, target: str) -> dict[str, Any]:
        """A peer by name, MagicDNS name, address or id; AgentError naming the argument."""
        wanted = target.casefold()
        for peer in self.peers():
            names = (
                peer["name"],
                peer["magicdns_name"],
                peer["tailnet_ip"],
                peer["id"],
                peer["tailnet_ipv6"],
            )
            if wanted in (str(name).casefold() for name in names if name):
                return peer
        raise AgentError("NOT_FOUND", f"no machine {target!r} in your network")

    def online(
        self,
        work: "Callable[[ControlClient], Awaitable[_T]]",
        *,
        api_url: str | None = None,
        ca_file: str | None = None,
    ) -> _T:
        """Run work with a client of the control plane."""
        import asyncio

        from agent.io.control import ControlClient

        async def run() -> _T:
            client = ControlClient(self.api_url(api_url), ca_file=ca_file or self.settings.ca_file)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def as_person(self, work: "Callable[[Session, Config], Awaitable[_T]]") -> _T:
        """Run work as the signed-in person in the stored organization."""
        config = self.store.config()
        if self.store.tokens() is None:
            raise not_authenticated()
        if config.org_id is None:
            raise AgentError("NO_ORGANIZATION", "not connected to an organization. Run 'ztna up' first")

        async def run(client: "ControlClient") -> _T:
            from agent.session import Session

            return await work(Session(self.store, client), config)

        return self.online(run)

    def _saved_peers(self) -> list[dict[str, Any]]:
        """The last map's peers, with nothing said of paths."""
        document = self.store.load_json("netmap.json") or {}
        return [
            {
                **{
                    key: peer.get(key)
                    for key in ("name", "tailnet_ip", "tailnet_ipv6", "magicdns_name", "os")
                },
                **{
                    key: peer.get(key)
                    for key in ("derp_region", "last_seen", "owner_email", "tags", "routes")
                },
                "id": peer.get("machine_id"),
                "public_key": peer.get("wireguard_public_key"),
                "online": False,
                "path": "none",
                "endpoint": None,
                "latency_ms": None,
                "rx_bytes": 0,
                "tx_bytes": 0,
                "last_handshake": None,
                "exit_node": False,
                "reachable": False,
                "needs_relay": False,
                "pqc": {"state": "pending", "psk_age_s": None},
                "refused": None,
            }
            for peer in document.get("peers", [])
        ]

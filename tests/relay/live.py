"""A relay and its clients over real TLS sockets on loopback, in the test's own event loop."""

import asyncio
import secrets
import socket
import ssl

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from relay.client import RelayClient
from relay.core import Limits, RelayCore
from relay.run import bind
from relay.server import RelayServer
from relay.tls import client_context, server_context
from relay.tokens import TokenVerifier
from tests.lab.pki import Authority
from tests.relay.signer import Signer

HOST = "relay.test"


class Relay:
    """beside: another relay of the same control plane and authority."""

    def __init__(self, directory, tls=None, limits=None, *, region="test1", core=RelayCore, beside=None):
        self.region = region
        self.control = beside.control if beside else Signer()
        verifier = TokenVerifier(region=region)
        verifier.load(self.control.jwks().encode())
        self.core = core(verify=verifier.verify, random=secrets.token_bytes, limits=limits or Limits())
        self.authority = beside.authority if beside else Authority(directory)
        self.ca_file = self.authority.ca_file
        self.server = RelayServer(self.core, tls or server_context(*self.authority.issue(HOST)))

    def start(self):
        self.server.listen(bind("127.0.0.1", 0))
        self.port = self.server.port
        return self

    def client(self, **options):
        return Client(self, **options)

    async def end(self):
        """Cancel everything that the test started, and leave no socket."""
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.server.stop_listening()
        for client in list(self.server.clients):  # a reader that rests would not see that they went
            client.stream.abort()


class Client:
    """A RelayClient with what it heard."""

    def __init__(self, relay, token=None, addresses=("127.0.0.1",), **claims):
        private = X25519PrivateKey.generate()
        self.key = private.public_key().public_bytes_raw()
        self.received, self.gone, self.states = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.link = RelayClient(
            host=HOST,
            port=relay.port,
            addresses=addresses,
            disco_private=private.private_bytes_raw(),
            token=lambda: token or relay.control.token(self.key, **{"regions": ("test1",), **claims}),
            on_datagrams=lambda key, segment, data: self.received.put_nowait((key, segment, bytes(data))),
            on_state=lambda up, reason: self.states.put_nowait((up, reason)),
            on_peer_gone=self.gone.put_nowait,
            tls=client_context(str(relay.ca_file)),
        )
        self.task = asyncio.create_task(self.link.run())

    async def up(self):
        assert await asyncio.wait_for(self.states.get(), 5) == (True, None)
        return self

    async def up_and_running(self):
        """Whether the relay carries this client's frames: it says that nobody is there."""
        self.link.send(bytes(32), 4, b"ping")
        assert await asyncio.wait_for(self.gone.get(), 5) == bytes(32)

    def stop_reading(self):
        """Leave everything in the socket from now on."""
        asyncio.get_running_loop().remove_reader(self.link._session.stream._socket)

    async def state(self):
        return await asyncio.wait_for(self.states.get(), 10)


async def open_tls(relay, **options):
    """(reader, writer) of a bare TLS connection to the relay, by another TLS stack than the relay's."""
    context = ssl.create_default_context(cafile=str(relay.ca_file))
    for name, value in options.items():
        setattr(context, name, value)
    return await asyncio.open_connection("127.0.0.1", relay.port, ssl=context, server_hostname=HOST)


def dial(port, source="127.0.0.1"):
    """A bare TCP connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))

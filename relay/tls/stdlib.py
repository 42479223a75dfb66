"""TLS by the ssl module: the backend where Python has OpenSSL 3.5, which offers the hybrid group."""

import contextlib
import ssl
from pathlib import Path

from relay.tls.session import INBOX_BYTES, PLAIN_BYTES, RECORD_BYTES, TlsError, TlsSession


class StdlibContext:
    """relay.tls.session.TlsContext on ssl.SSLContext."""

    def __init__(self, context: ssl.SSLContext) -> None:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context = context
        self.inbox = memoryview(bytearray(INBOX_BYTES))
        self.plain = memoryview(bytearray(PLAIN_BYTES))

    @classmethod
    def server(cls, certificate: Path, private_key: Path) -> "StdlibContext":
        """A relay's end."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, private_key)
        # Our clients never resume, and a ticket costs as much as a signature check.
        context.num_tickets = 0
        return cls(context)

    @classmethod
    def client(cls, ca_file: str | None) -> "StdlibContext":
        """A machine's end; ca_file replaces the system's authorities."""
        return cls(ssl.create_default_context(cafile=ca_file))

    def session(self, host: str | None = None) -> TlsSession:
        """See TlsContext."""
        return _Session(self, host)


class _Session:
    def __init__(self, context: StdlibContext, host: str | None) -> None:
        self._inbox, self._plain = context.inbox, context.plain
        self._into, self._from = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.context.wrap_bio(
            self._into, self._from, server_side=host is None, server_hostname=host
        )
        self.established = self.ended = False

    @property
    def group(self) -> str | None:
        group = getattr(self._tls, "group", None)  # Python 3.15
        return str(group()) if group and self.established else None

    def receive(self, count: int, kept: bytes = b"") -> memoryview:
        if count:
            self._into.write(self._inbox[:count])
        at = len(kept)
        plain = self._plain
        plain[:at] = kept
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            while True:
                # Into a buffer read() gives a count, contrary to its annotation.
                got: int = self._tls.read(RECORD_BYTES, plain[at:])  # type: ignore[assignment]
                if not got:
                    self.ended = True
                    break
                at += got
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from None
        return plain[:at]

    def send(self, plaintext: bytes) -> memoryview:
        try:
            self._tls.write(plaintext)
        except ssl.SSLError as error:
            raise TlsError(error.reason or str(error)) from None
        return memoryview(self._from.read())

    def outgoing(self) -> bytes:
        return self._from.read()

    def close(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()

"""UPnP IGD: SSDP search, device description, and the three SOAP calls that map a port.

Source: UPnP Device Architecture 1.1 (sections 1.3, 2, 3) and WANIPConnection:1 (section 2.4).
Everything said is untrusted: sizes are bounded and no address but the router's own is followed.
"""

import re
from collections.abc import Mapping as MappingOf
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

from agent.portmap.mapping import PortMapError

SSDP = ("239.255.255.250", 1900)
SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n'
    b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
)
MAX_DOCUMENT_BYTES = 64 * 1024
NO_SUCH_ENTRY, CONFLICT, ONLY_PERMANENT = 714, 718, 725

_SERVICES = re.compile(r"urn:schemas-upnp-org:service:WAN(IPConnection:[12]|PPPConnection:1)")
_LOCATION = re.compile(rb"^location:\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)


class SoapFault(PortMapError):
    """The router answered with a UPnP error code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"error {code} {text}".strip())
        self.code = code


def location(packet: bytes, gateway: str) -> str | None:
    """Where an answer to SEARCH says the description lies; None unless at the gateway itself."""
    found = _LOCATION.search(packet) if packet.startswith(b"HTTP/1.1 200") else None
    url = found[1].decode("ascii", "replace") if found else ""
    return url if _at(url, gateway) else None


class Igd:
    """The WAN connection service of one router, found by its description."""

    def __init__(self, http: httpx.AsyncClient, control: str, service: str) -> None:
        self._http, self._control, self._service = http, control, service

    @classmethod
    async def describe(cls, http: httpx.AsyncClient, url: str, gateway: str) -> "Igd":
        """Read the description; PortMapError when it holds no WAN connection at the gateway."""
        root = _document(await _fetch(http, "GET", url))
        for service in root.iter():
            if _local(service) != "service":
                continue
            fields = {_local(child): (child.text or "").strip() for child in service}
            control = urljoin(url, fields.get("controlURL", ""))
            if _SERVICES.fullmatch(fields.get("serviceType", "")) and _at(control, gateway):
                return cls(http, control, fields["serviceType"])
        raise PortMapError("no WAN connection in its description")

    async def external_address(self) -> str:
        """The router's address on the internet."""
        answer = await self._call("GetExternalIPAddress", {})
        return answer.get("NewExternalIPAddress", "")

    async def add(self, *, client: str, internal: int, external: int, lifetime: int) -> None:
        """Map external to client:internal. SoapFault: CONFLICT, ONLY_PERMANENT or another refusal."""
        await self._call(
            "AddPortMapping",
            {
                **_entry(external),
                "NewInternalPort": str(internal),
                "NewInternalClient": client,
                "NewEnabled": "1",
                "NewPortMappingDescription": "QuickZTNA",
                "NewLeaseDuration": str(lifetime),
            },
        )

    async def delete(self, external: int) -> None:
        """Remove our mapping; one that is gone already is no failure."""
        try:
            await self._call("DeletePortMapping", _entry(external))
        except SoapFault as fault:
            if fault.code != NO_SUCH_ENTRY:
                raise

    async def _call(self, action: str, arguments: MappingOf[str, str]) -> dict[str, str]:
        fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in arguments.items())
        body = (
            '<?xml version="1.0"?>'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
            ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
            f'<s:Body><u:{action} xmlns:u="{self._service}">{fields}</u:{action}></s:Body></s:Envelope>'
        )
        headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{self._service}#{action}"'}
        root = _document(await _fetch(self._http, "POST", self._control, body.encode(), headers))
        answer = {_local(element): (element.text or "").strip() for element in root.iter()}
        if "errorCode" in answer:
            code = answer["errorCode"]
            raise SoapFault(int(code) if code.isdecimal() else 0, answer.get("errorDescription", "")[:80])
        return answer


def _entry(external: int) -> dict[str, str]:
    return {"NewRemoteHost": "", "NewExternalPort": str(external), "NewProtocol": "UDP"}


def _at(url: str, gateway: str) -> bool:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname) == ("http", gateway) and parts.port != 0
    except ValueError:
        return False


async def _fetch(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    body: bytes | None = None,
    headers: MappingOf[str, str] | None = None,
) -> bytes:
    """The bounded body of an answer, of an error too: SOAP faults come with status 500."""
    received = bytearray()
    try:
        async with http.stream(method, url, content=body, headers=headers) as response:
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > MAX_DOCUMENT_BYTES:
                    raise PortMapError("its answer is too long")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PortMapError(f"no answer from {url}: {type(error).__name__}") from None
    return bytes(received)


def _document(text: bytes) -> ElementTree.Element:
    # Without a document type there are no entities, so none can be expanded without bound.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise PortMapError("its answer declares entities")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - bounded, and without entities
    except ElementTree.ParseError:
        raise PortMapError("its answer is not XML") from None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]

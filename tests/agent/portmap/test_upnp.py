"""The UPnP client against HTTP answers that a router, or somebody on the LAN, may give."""

import httpx
import pytest

from agent.portmap.mapping import PortMapError
from agent.portmap.upnp import CONFLICT, MAX_DOCUMENT_BYTES, NO_SUCH_ENTRY, Igd, SoapFault

GATEWAY = "192.168.1.1"
DESCRIPTION = f"http://{GATEWAY}:5000/d.xml"
WAN = "urn:schemas-upnp-org:service:WANIPConnection:1"


def description(control="/ctl", service=WAN):
    return (
        '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><serviceList><service>'
        f"<serviceType>{service}</serviceType><controlURL>{control}</controlURL>"
        "</service></serviceList></device></root>"
    )


def fault(code):
    return httpx.Response(
        500, text=f"<e><errorCode>{code}</errorCode><errorDescription>No</errorDescription></e>"
    )


def client(answer):
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def igd(answers):
    seen = []

    def answer(request):
        seen.append((request.url.path, request.headers.get("soapaction"), request.content.decode()))
        return httpx.Response(200, text=description()) if request.method == "GET" else answers(request)

    http = client(answer)
    return await Igd.describe(http, DESCRIPTION, GATEWAY), seen


async def test_a_mapping_is_asked_for_in_soap():
    device, seen = await igd(lambda request: httpx.Response(200, text="<ok/>"))
    await device.add(client="192.168.1.10", internal=41641, external=5000, lifetime=7200)
    path, action, body = seen[-1]
    assert (path, action) == ("/ctl", f'"{WAN}#AddPortMapping"')
    for part in (
        "<NewInternalPort>41641</NewInternalPort>",
        "<NewExternalPort>5000</NewExternalPort>",
        "<NewInternalClient>192.168.1.10</NewInternalClient>",
        "<NewProtocol>UDP</NewProtocol>",
        "<NewLeaseDuration>7200</NewLeaseDuration>",
    ):
        assert part in body


async def test_faults_keep_their_code():
    device, _ = await igd(lambda request: fault(CONFLICT))
    with pytest.raises(SoapFault) as caught:
        await device.add(client="192.168.1.10", internal=1, external=2, lifetime=3)
    assert caught.value.code == CONFLICT
    with pytest.raises(SoapFault):
        await device.delete(5000)


async def test_a_mapping_that_is_gone_counts_as_deleted():
    device, seen = await igd(lambda request: fault(NO_SUCH_ENTRY))
    await device.delete(5000)
    assert "DeletePortMapping" in seen[-1][1]


@pytest.mark.parametrize(
    "text",
    [
        description(control="http://10.0.0.5/ctl"),  # would make us speak to another host
        description(control="//10.0.0.5/ctl"),
        description(service="urn:schemas-upnp-org:service:Layer3Forwarding:1"),
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>',
        "<root>",
        "",
        "x" * (MAX_DOCUMENT_BYTES + 1),
    ],
)
async def test_a_description_that_lies_is_refused(text):
    with pytest.raises(PortMapError):
        await Igd.describe(client(lambda request: httpx.Response(200, text=text)), DESCRIPTION, GATEWAY)


async def test_a_redirect_is_not_followed():
    def answer(request):
        assert request.url.host == GATEWAY
        return httpx.Response(302, headers={"Location": "http://10.0.0.5/"})

    with pytest.raises(PortMapError):
        await Igd.describe(client(answer), DESCRIPTION, GATEWAY)


async def test_a_silent_router_is_an_error_in_words():
    def answer(request):
        raise httpx.ConnectTimeout("slow")

    with pytest.raises(PortMapError, match="no answer"):
        await Igd.describe(client(answer), DESCRIPTION, GATEWAY)

"""Round trips of every format, and what each refuses."""

import contextlib
import dataclasses
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import control, disco, identity
from wire import relay as frames
from wire.binary import Endpoint, WireError, decode_key, encode_key, pack_endpoint, unpack_endpoint
from wire.netmap import Netmap, NetmapDelta, Peer, SelfNode

KEY = bytes(range(32))
ENDPOINTS = st.builds(Endpoint, st.ip_addresses().map(str), st.integers(1, 65535))


@given(st.ip_addresses(v=4).map(str), st.integers(1, 65535))
def test_endpoints_pack_into_18_bytes(host, port):
    packed = pack_endpoint(Endpoint(host, port))
    assert len(packed) == 18
    assert unpack_endpoint(packed) == Endpoint(host, port)


@pytest.mark.parametrize("text", ["", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "host:1", "::1:x", ":1"])
def test_nonsense_is_no_endpoint(text):
    with pytest.raises(WireError):
        Endpoint.parse(text)


@given(ENDPOINTS)
def test_endpoints_read_what_they_print(endpoint):
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", encode_key(bytes(31)), encode_key(bytes(33))])
def test_keys_have_one_size(value):
    with pytest.raises(WireError):
        decode_key(value, 32)


MESSAGES = st.one_of(
    st.builds(disco.Ping, st.binary(min_size=12, max_size=12), st.binary(min_size=32, max_size=32)),
    st.builds(
        disco.Pong,
        st.binary(min_size=12, max_size=12),
        st.builds(Endpoint, st.ip_addresses(v=4).map(str), st.integers(1, 65535)),
    ),
    st.builds(
        disco.CallMeMaybe,
        st.lists(st.builds(Endpoint, st.ip_addresses(v=4).map(str), st.integers(1, 65535)), max_size=32).map(
            tuple
        ),
    ),
)


@given(MESSAGES)
def test_disco_round_trip(message):
    assert disco.decode(disco.encode(message)) == message


@given(st.binary(max_size=700))
def test_disco_noise_raises_wire_error_only(noise):
    for parse in (disco.decode, disco.split_packet):
        with contextlib.suppress(WireError):
            parse(noise)


def test_disco_never_looks_like_wireguard():
    assert disco.MAGIC[0] not in (1, 2, 3, 4)


@pytest.mark.parametrize(
    "frame",
    [
        frames.ClientHello(KEY, KEY, "a.b.c"),
        frames.Renew("a.b.c"),
        frames.Send(KEY, 3, b"abcdef"),
        frames.Ping(b"12345678"),
    ],
)
def test_client_frames_cannot_be_parsed_as_a_relays(frame):
    raw = frames.encode(frame)
    assert frames.parse_from_client(raw) == frame
    if not isinstance(frame, frames.Ping):
        with pytest.raises(WireError):
            frames.parse_from_server(raw)


@pytest.mark.parametrize(
    "frame",
    [
        frames.ServerHello(KEY, KEY),
        frames.Ready(30),
        frames.Refused("INVALID_TOKEN"),
        frames.Recv(KEY, 3, b"abcdef"),
        frames.PeerGone(KEY),
        frames.Restarting(1500),
    ],
)
def test_relay_frames_cannot_be_parsed_as_a_clients(frame):
    raw = frames.encode(frame)
    assert frames.parse_from_server(raw) == frame
    with pytest.raises(WireError):
        frames.parse_from_client(raw)


@given(st.binary(max_size=300))
def test_relay_noise_raises_wire_error_only(noise):
    for parse in (frames.parse_from_client, frames.parse_from_server):
        with contextlib.suppress(WireError):
            parse(noise)


def test_a_batch_falls_apart_into_its_datagrams():
    assert [bytes(part) for part in frames.datagrams(4, b"aaaabbbbcc")] == [b"aaaa", b"bbbb", b"cc"]


@pytest.mark.parametrize("segment", [0, frames.MAX_DATAGRAM_BYTES + 1])
def test_segment_sizes_are_bounded(segment):
    with pytest.raises(WireError):
        frames.parse_from_client(frames.encode(frames.Send(KEY, segment, b"abc")))


def test_a_key_bundle_binds_every_key_and_the_lack_of_one():
    keys = {"identity": KEY, "wireguard": KEY, "disco": KEY, "mlkem": bytes(1184)}
    original = identity.signed_bundle(**keys)
    for name in keys:
        assert identity.signed_bundle(**{**keys, name: os.urandom(len(keys[name]))}) != original
    assert identity.signed_bundle(**{**keys, "mlkem": None}) != original


PEER = Peer("m1", "alpha", "alpha.acme.zt.net", "100.64.0.1", encode_key(KEY), endpoints=("192.0.2.1:1",))
NETMAP = Netmap(7, SelfNode("m0", "self", "self.acme.zt.net", "100.64.0.2"), {"m1": PEER})


def test_a_netmap_survives_json():
    assert Netmap.from_json(json.loads(json.dumps(NETMAP.to_json()))) == NETMAP


def test_unknown_fields_of_a_newer_control_plane_are_dropped():
    document = NETMAP.to_json()
    document["peers"][0]["hologram"] = True
    assert Netmap.from_json(document) == NETMAP


def test_a_delta_applies_on_its_own_version_only():
    other = dataclasses.replace(PEER, machine_id="m2", name="beta", tailnet_ip="100.64.0.3")
    delta = NetmapDelta(7, 8, upsert=(other,), remove=frozenset({"m1"}))
    again = NetmapDelta.from_json(json.loads(json.dumps(delta.to_json())))
    assert NETMAP.apply(again).peers == {"m2": other}
    with pytest.raises(WireError):
        NETMAP.apply(delta).apply(delta)


@pytest.mark.parametrize(
    "change",
    [
        {"wireguard_public_key": "AAAA"},
        {"mlkem_public_key": encode_key(bytes(1183))},
        {"tailnet_ip": "nowhere"},
        {"endpoints": ["192.0.2.1:1"] * 33},
    ],
)
def test_a_peer_that_wireguard_could_not_take_is_refused(change):
    document = NETMAP.to_json()
    document["peers"][0].update(change)
    with pytest.raises(ValueError):
        Netmap.from_json(document)


def test_control_messages_go_one_way():
    text = control.encode(control.FromAgent.GOODBYE)
    assert control.parse_from_agent(text) == (control.FromAgent.GOODBYE, {})
    with pytest.raises(WireError):
        control.parse_from_server(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": 1}', "{" * 5000, '"x"', "x" * 70_000])
def test_control_noise_is_refused(text):
    with pytest.raises(WireError):
        control.parse_from_agent(text)

"""Whatever address somebody writes, and whatever a name server says: nothing inside is ever connected to."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from harness.receivers import HOST, LOOPBACK, Receiver, Recorder
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.infra.outgoing import Outside, open_outside
from fullhouse.webhooks.destination import WebhookUrlRefused, is_allowed, read_destination
from fullhouse.webhooks.post_message import post_message
from fullhouse.webhooks.rules import Outcome, Trouble

from .hostile import REFUSED_V4, REFUSED_V6, all_urls

PUBLIC = ["93.184.215.14", "2606:4700:4700::1111"]
HOSTILE = all_urls()
ADDRESSES = [*REFUSED_V4, *REFUSED_V6]


async def post(outside: Outside, url: str = f"https://{HOST}/hook") -> Outcome:
    return await post_message(outside, url, {}, b"{}", allow_private=False)


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) > 400
    assert len(set(ADDRESSES)) > 160


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
async def test_a_hostile_url_is_refused_and_nobody_is_asked(url: str) -> None:
    recorder = Recorder([PUBLIC])
    with pytest.raises(WebhookUrlRefused) as refused:
        read_destination(url)
    assert refused.value.fields["errors"] == [{"field": "url", "message": refused.value.detail.removeprefix("url: ")}]
    outcome = await post(recorder.outside(), url)
    assert (outcome.status_code, outcome.trouble) == (None, Trouble.ADDRESS_REFUSED)
    assert recorder.asked == []
    assert recorder.connected == []


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    for answer in ([address], [*PUBLIC, address], [address, *PUBLIC]):
        recorder = Recorder([answer])
        outcome = await post(recorder.outside())
        assert (outcome.status_code, outcome.trouble) == (None, Trouble.ADDRESS_REFUSED)
        assert recorder.asked == [(HOST, 443)]
        assert recorder.connected == []


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2606:4700::1111%eth0"])
async def test_an_address_with_a_scope_is_refused(address: str) -> None:
    recorder = Recorder([[address]])
    assert (await post(recorder.outside())).trouble is Trouble.ADDRESS_REFUSED
    assert recorder.connected == []


async def test_rebinding_finds_no_gap_between_the_check_and_the_connection(
    receiver: Receiver, outside: Outside
) -> None:
    """The name leads outside first and inside from then on: the one answer that was checked is the one used."""
    recorder = Recorder([["93.184.215.14"], ["127.0.0.1"]], connect_to=outside.connect, port=receiver.port)
    first = await post(recorder.outside())
    assert first.status_code == 204
    assert recorder.asked == [(HOST, 443)]
    assert recorder.connected == [("93.184.215.14", 443, HOST)]
    second = await post(recorder.outside())
    assert second.trouble is Trouble.ADDRESS_REFUSED
    assert recorder.asked == [(HOST, 443)] * 2
    assert len(recorder.connected) == 1
    assert receiver.connections == 1


async def test_a_redirect_inside_is_not_followed(receiver: Receiver, outside: Outside) -> None:
    location = f"Location: https://127.0.0.1:{receiver.port}/inside"
    for status in (301, 302, 303, 307, 308):
        receiver.answers = [f"HTTP/1.1 {status} Moved\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode()]
        before = receiver.connections
        recorder = Recorder([PUBLIC[:1]], connect_to=outside.connect, port=receiver.port)
        outcome = await post(recorder.outside())
        assert (outcome.status_code, outcome.trouble, outcome.is_success) == (status, Trouble.REDIRECTED, False)
        assert receiver.connections == before + 1


async def test_the_real_ways_out_do_not_reach_loopback_unless_allowed(receiver: Receiver, outside: Outside) -> None:
    real = replace(open_outside(), connect=outside.connect)
    for host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "0", "127.1"):  # noqa: S104 (an address to refuse)
        outcome = await post(real, receiver.url(host=host))
        assert outcome.trouble is Trouble.ADDRESS_REFUSED
    assert receiver.connections == 0
    allowed = await post_message(real, receiver.url(host="localhost"), {}, b"{}", allow_private=True)
    assert allowed.status_code == 204
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:127.0.0.1", "224.0.0.1", "fe80::1"]
)
def test_what_is_allowed_in_development_is_not_everything(address: str) -> None:
    assert not is_allowed(ip_address(address), allow_private=True)


def test_development_reaches_loopback_and_private_networks() -> None:
    for address in ("127.0.0.1", "::1", "10.0.0.1", "172.20.0.3", "192.168.1.9", "fd12::1", "8.8.8.8"):
        assert is_allowed(ip_address(address), allow_private=True)
    assert read_destination("https://receiver:9000/x", allow_private=True).port == 9000
    with pytest.raises(WebhookUrlRefused):
        read_destination("http://localhost/", allow_private=True)


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://example.org", "example.org", 443, "/", "example.org"),
        ("https://example.org:443/a?b=c", "example.org", 443, "/a?b=c", "example.org"),
        ("HTTPS://Hooks.Example.ORG:8443?x", "hooks.example.org", 8443, "/?x", "hooks.example.org:8443"),
        ("https://xn--bcher-kva.example.org/%C3%A9", "xn--bcher-kva.example.org", 443, "/%C3%A9", None),
        ("https://93.184.215.14/@x", "93.184.215.14", 443, "/@x", "93.184.215.14"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "/", "[2606:4700::1111]:8443"),
        ("https://1.example.org/", "1.example.org", 443, "/", None),
    ],
)
def test_plain_urls_are_taken(url: str, host: str, port: int, target: str, authority: str | None) -> None:
    found = read_destination(url)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.authority == (authority or host)


async def test_an_address_in_the_url_is_asked_of_no_name_server(receiver: Receiver, outside: Outside) -> None:
    recorder = Recorder([PUBLIC], connect_to=outside.connect, port=receiver.port)
    await post(recorder.outside(), "https://93.184.215.14/hook")
    assert recorder.asked == []
    assert recorder.connected == [("93.184.215.14", 443, "93.184.215.14")]


@given(st.ip_addresses())
def test_nothing_that_the_standard_library_calls_inside_passes(address: object) -> None:
    found = ip_address(str(address))
    if is_allowed(found):
        assert found.is_global
        assert not any((found.is_private, found.is_multicast, found.is_reserved, found.is_loopback))
        assert found != LOOPBACK


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://example.org{text}"):
        try:
            found = read_destination(url)
        except WebhookUrlRefused:
            continue
        assert found.target.isascii()
        assert not set(found.target + found.host) & set(" \r\n\t\\@#\x00") - {"@"}

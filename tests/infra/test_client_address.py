"""The address of a client cannot be made up: only trusted proxies tell of one, and they are read from the right."""

from ipaddress import ip_network

import pytest

from fullhouse.infra.client_address import HOPS_MAX, Proxies, network_of

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7/32")]


def found(peer: str, *lines: str, header: str = "x-forwarded-for") -> str:
    sent = [(header.encode(), line.encode("latin-1")) for line in lines]
    return Proxies(TRUSTED, header).find_client(peer, sent)


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.5"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.5, 192.0.2.7, fd00::1"], "203.0.113.5"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["203.0.113.5, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, nonsense, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["203.0.113.5,"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:203.0.113.5"], "203.0.113.5"),
        ("::ffff:10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("fd12::1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["\xa0203.0.113.5\xe9"], "10.0.0.1"),
        ("10.0.0.1", [",".join(["10.3.3.3"] * 100_000)], "10.3.3.3"),
        ("10.0.0.1", ["203.0.113.5" + ",10.3.3.3" * HOPS_MAX], "10.3.3.3"),
        ("testclient", ["203.0.113.5"], "testclient"),
        ("", ["203.0.113.5"], ""),
    ],
)
def test_the_list_is_read_from_the_right_through_trusted_proxies_alone(
    peer: str, lines: list[str], client: str
) -> None:
    assert found(peer, *lines) == client


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("for=203.0.113.5", "203.0.113.5"),
        ('for=1.1.1.1, For="203.0.113.5:80";proto=https;by=10.0.0.1', "203.0.113.5"),
        ('proto=https;for="[2001:db8::17]:4711"', "2001:db8::17"),
        ("for=203.0.113.5, for=10.0.0.9", "203.0.113.5"),
        ("for=203.0.113.5, for=_hidden", "10.0.0.1"),
        ("for=203.0.113.5, proto=https", "10.0.0.1"),
        ("for=203.0.113.5, for=unknown", "10.0.0.1"),
    ],
)
def test_forwarded_of_rfc_7239_is_read_in_the_same_way(line: str, client: str) -> None:
    assert found("10.0.0.1", line, header="forwarded") == client


def test_the_header_that_the_proxies_do_not_write_is_not_read() -> None:
    spoofed = [(b"forwarded", b"for=1.1.1.1"), (b"x-forwarded-for", b"203.0.113.5")]
    assert Proxies(TRUSTED).find_client("10.0.0.1", spoofed) == "203.0.113.5"
    spoofed = [(b"forwarded", b"for=203.0.113.5"), (b"x-forwarded-for", b"1.1.1.1"), (b"x-real-ip", b"1.1.1.1")]
    assert Proxies(TRUSTED, "forwarded").find_client("10.0.0.1", spoofed) == "203.0.113.5"


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [
        ("10.0.0.1", [b"https"], "https"),
        ("10.0.0.1", [b"https, http"], "http"),
        ("10.0.0.1", [b"http", b"HTTPS"], "https"),
        ("10.0.0.1", [b"javascript"], "http"),
        ("10.0.0.1", [], "http"),
        ("198.51.100.1", [b"https"], "http"),
    ],
)
def test_the_scheme_is_believed_of_trusted_proxies_alone(peer: str, told: list[bytes], scheme: str) -> None:
    assert Proxies(TRUSTED).find_scheme(peer, "http", [(b"x-forwarded-proto", value) for value in told]) == scheme


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("testclient", "testclient"),
    ],
)
def test_a_subscriber_of_ipv6_counts_as_one(client: str, network: str) -> None:
    assert network_of(client) == network

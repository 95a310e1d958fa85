"""Which addresses are public, and which links may be followed."""

import socket
from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.media.fetch import LinkPolicy, LinkRefused, is_public, resolve

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
    "64:ff9b::808:808",
]
PRIVATE = [
    "0.0.0.0",  # noqa: S104  nothing is bound to it
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:0:fbfe:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_internet_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_or_reserved_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_no_notation_of_a_private_address_is_public(address: object) -> None:
    plain = str(address)
    number = int.from_bytes(socket.inet_aton(plain))
    for notation in (
        plain,
        f"::ffff:{plain}",
        f"::{plain}",
        f"64:ff9b::{plain}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::",
    ):
        assert not is_public(notation)


NAMES = {
    "good.example": ["93.184.216.34", "2606:4700::1"],
    "inside.example": ["10.0.0.1"],
    "mixed.example": ["93.184.216.34", "10.0.0.1"],
    "gateway.inside": ["10.1.2.3"],
    "gateway.public": ["93.184.216.34"],
    "xn--bcher-kva.example": ["93.184.216.34"],
}


async def _look_up(host: str, port: int) -> Sequence[str]:
    """A name server that knows only `NAMES`."""
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


def _policy(*own_hosts: str) -> LinkPolicy:
    return LinkPolicy(frozenset(own_hosts), _look_up)


@pytest.mark.parametrize(
    "url", ["https://good.example/a.mp4", "https://GOOD.example:8443/a", "https://bücher.example/"]
)
async def test_a_public_https_host_is_resolved_to_its_checked_addresses(url: str) -> None:
    assert (await _policy().addresses_for(httpx.URL(url)))[0] == "93.184.216.34"


@pytest.mark.parametrize(
    "url",
    [
        "http://good.example/a.mp4",
        "file:///etc/passwd",
        "ftp://good.example/a.mp4",
        "gopher://good.example/",
        "//good.example/a.mp4",
        "/a.mp4",
        "https:///a.mp4",
        "https://user:pass@good.example/a.mp4",
        "https://good.example@inside.example/a.mp4",
        "https://inside.example/a.mp4",
        "https://mixed.example/a.mp4",
        "https://good.example:0/a.mp4",
        "https://good.example:65536/a.mp4",
    ],
)
async def test_a_link_to_anything_but_a_public_https_host_is_refused(url: str) -> None:
    with pytest.raises(LinkRefused):
        await _policy().addresses_for(httpx.URL(url))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "169.254.169.254",
        "10.0.0.1.",
        "localhost.",
    ],
)
async def test_no_spelling_of_a_private_host_gets_past_the_system_resolver(host: str) -> None:
    with pytest.raises((LinkRefused, httpx.ConnectError, httpx.InvalidURL)):
        await LinkPolicy(frozenset(), resolve).addresses_for(httpx.URL(f"https://{host}/a.mp4"))


async def test_only_a_gateways_own_host_may_be_private_and_without_tls() -> None:
    policy = _policy("gateway.inside")
    for url in ("http://gateway.inside/a", "https://gateway.inside/a", "http://gateway.inside:9000/a"):
        assert await policy.addresses_for(httpx.URL(url)) == ["10.1.2.3"]
    for url in ("http://inside.example/a", "https://inside.example/a", "https://sub.gateway.inside/a"):
        with pytest.raises((LinkRefused, httpx.ConnectError)):
            await policy.addresses_for(httpx.URL(url))
    with pytest.raises((LinkRefused, httpx.ConnectError)):
        await policy.addresses_for(httpx.URL("http://gateway.inside./a"))


async def test_a_gateways_own_public_host_must_use_tls_too() -> None:
    policy = _policy("gateway.public")
    assert await policy.addresses_for(httpx.URL("https://gateway.public/a"))
    with pytest.raises(LinkRefused, match="not https"):
        await policy.addresses_for(httpx.URL("http://gateway.public/a"))


@pytest.mark.parametrize("host", ["no-such.example", "a" * 70 + ".example", "a..b"])
async def test_an_unknown_host_is_a_connection_error_not_a_refusal(host: str) -> None:
    with pytest.raises(httpx.ConnectError):
        await _policy().addresses_for(httpx.URL(f"https://{host}/a.mp4"))


async def test_an_invalid_host_name_is_a_connection_error() -> None:
    with pytest.raises(httpx.ConnectError):
        await LinkPolicy(frozenset(), resolve).addresses_for(httpx.URL(f"https://{'a' * 70}.invalid/a.mp4"))

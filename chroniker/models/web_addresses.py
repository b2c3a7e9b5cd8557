"""Addresses of the web: whether a text is one, how it is shown, and which servers may be contacted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IPv6 addresses that end with an IPv4 address: a gateway forwards requests to that IPv4 address.
_NAT64_NETWORK = ipaddress.IPv6Network("64:ff9b::/96")


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises if the port is not a number
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and " " not in url
    return clean and parts.scheme in ("http", "https") and bool(parts.hostname)


def scheme_and_host_of_url(url: str) -> str:
    """The scheme and the host of the address. The rest may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def parse_ip_address(host: str) -> IpAddress | None:
    """The IP address, if this host is one; ``None`` for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def may_be_contacted(host: str, address: str, listed: Iterable[str]) -> bool:
    """Whether a request to ``host`` may go to ``address``: it is public, or the host or its network is ``listed``."""
    names = [str(entry).lower() for entry in listed]
    if host.lower().rstrip(".") in names:
        return True
    found = parse_ip_address(address)
    if found is None:
        return False
    return _is_public(found) or any(found in network for network in map(parse_network, names) if network is not None)


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network, or the single address, in this text; ``None`` for a name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded_ipv4(address)
        if inner is not None:
            return _is_public(inner)
        # "is_global" is true for these: site-local addresses, and ranges that nobody was given, such as ::127.0.0.1.
        if address.is_site_local or address.is_reserved:
            return False
    return address.is_global and not address.is_multicast


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64_NETWORK:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo and address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or teredo

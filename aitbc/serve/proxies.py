"""Behind reverse proxies: a caller's address is the rightmost hop of X-Forwarded-For that is not a trusted proxy.

Throttles, the limit of bad keys and the login lockout count by that address. Without AITBC_TRUSTED_PROXIES the header
is ignored, since anybody can send it. A hop may carry a port (`192.0.2.1:80`, `[2001:db8::1]:80`) as some proxies write
it; a hop that is no address ends the search, and the caller is whoever handed it on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[\d.]+):\d+)")


def parse_address(text: str) -> Address | None:
    """Return the address in a hop of X-Forwarded-For, IPv4 also where it is mapped into IPv6; None if it is none."""
    text = text.strip()
    if match := PORT.fullmatch(text):
        text = match["v6"] if match["v6"] is not None else match["v4"]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_networks(proxies: Iterable[str]) -> list[Network]:
    """Return these addresses or networks as networks. Raises ValueError for anything else."""
    return [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]


def client_address(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the caller's address: the peer, or whom the trusted proxies say they serve."""
    caller = parse_address(peer)
    for hop in reversed(forwarded_for.split(",")):
        if caller is None or not any(caller in network for network in proxies):
            break
        if (address := parse_address(hop)) is None:
            break
        caller = address
    return peer if caller is None else str(caller)


def trust_proxies(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return the WSGI application, believing the proxies that the settings name."""
    if not settings.TRUSTED_PROXIES:
        return application
    proxies = parse_networks(settings.TRUSTED_PROXIES)

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        peer, header = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        if header:
            environ["REMOTE_ADDR"] = client_address(peer, header, proxies)
        return application(environ, start_response)

    return wrapped

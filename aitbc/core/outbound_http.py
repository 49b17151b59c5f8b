"""Calls to addresses that users gave us: one guard against reaching what is not public. Pure of Django.

The name is resolved once, every address must be public, and the connection goes to that very address, so that a name
that changes its mind between check and use gains nothing. No redirects; time and size are bounded.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

SMALL = 64 * 1024
QUICK = 3.0


class Refused(ValueError):
    """The address may not be called."""


class Failed(Exception):
    """The call was made and came to nothing."""


@dataclass(frozen=True)
class Target:
    """Where a URL really leads."""

    url: httpx.URL
    host: str
    address: str


def resolve(url: str, *, allowed: bool = False) -> Target:
    """Check a URL and fix the address it will be called at; `allowed` lets http and private addresses through."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("it is not a URL") from None
    if parts.scheme not in (("https", "http") if allowed else ("https",)):
        raise Refused("only https is called" if not allowed else "only https and http are called")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise Refused("it needs a host, and neither credentials nor a fragment")
    addresses = _addresses(parts.hostname, port or (443 if parts.scheme == "https" else 80))
    if not allowed and not all(_is_public(address) for address in addresses):
        raise Refused("it leads to an address that is not public")
    return Target(httpx.URL(url), parts.hostname, addresses[0])


def call(
    target: Target,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    seconds: float = QUICK,
    limit: int = SMALL,
) -> Any:
    """Call the resolved address and return its JSON; Failed on any other outcome."""
    url = target.url.copy_with(raw_path=(target.url.path.rstrip("/") + path).encode())
    pinned = url.copy_with(host=target.address)
    headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
    try:
        with (
            httpx.Client(
                follow_redirects=False, timeout=httpx.Timeout(seconds, connect=QUICK), trust_env=False
            ) as client,
            client.stream(
                method, pinned, json=body, headers=headers, extensions={"sni_hostname": target.host}
            ) as answer,
        ):
            content = _bounded(answer, limit)
            if answer.status_code != 200:
                raise Failed(f"it answered {answer.status_code}")
            return orjson.loads(content)
    except httpx.HTTPError as error:
        raise Failed(f"{type(error).__name__}: {error}"[:200]) from None
    except orjson.JSONDecodeError:
        raise Failed("its answer is not JSON") from None


def _bounded(answer: httpx.Response, limit: int) -> bytes:
    content = bytearray()
    for chunk in answer.iter_raw():
        content += chunk
        if len(content) > limit:
            raise Failed(f"its answer is larger than {limit} bytes")
    return bytes(content)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("its host is not known") from None
    return [str(entry[4][0]) for entry in found]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast

"""Calls to addresses that users gave us: one guard against reaching what is not public. Pure of Django.

The name is resolved once, every address must be public, and the connection goes to that very address, so that a name
that changes its mind between check and use gains nothing. No redirects; time and size are bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

SMALL = 64 * 1024
QUICK = 3.0
LONGEST_INTEGER = 20  # digits and a sign; what is longer is read as a double


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
    try:
        return Target(httpx.URL(url), parts.hostname, addresses[0])
    except httpx.InvalidURL:
        raise Refused("it is not a URL") from None


def call(
    target: Target,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    seconds: float = QUICK,
    limit: int = SMALL,
) -> Any:
    """Call the resolved address and return its JSON as `_json` reads it; `seconds` are for the whole call.

    Raises Failed on any other outcome.
    """
    try:
        return _json(asyncio.run(_fetch(target, method, path, body, seconds, limit)))
    except TimeoutError:
        raise Failed(f"it took longer than {seconds:g} seconds") from None
    except httpx.HTTPError as error:
        raise Failed(f"{type(error).__name__}: {error}"[:200]) from None


async def _fetch(
    target: Target, method: str, path: str, body: Mapping[str, Any] | None, seconds: float, limit: int
) -> bytes:
    """Asynchronous, since only so the whole call has a deadline: httpx's own limits start again with each byte."""
    url = target.url.copy_with(raw_path=target.url.raw_path.partition(b"?")[0].rstrip(b"/") + path.encode())
    pinned = url.copy_with(host=target.address)
    headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(
            follow_redirects=False, timeout=httpx.Timeout(seconds, connect=min(QUICK, seconds)), trust_env=False
        ) as client,
        client.stream(method, pinned, json=body, headers=headers, extensions={"sni_hostname": target.host}) as answer,
    ):
        if answer.status_code != 200:
            raise Failed(f"it answered {answer.status_code}")
        return await _bounded(answer, limit)


async def _bounded(answer: httpx.Response, limit: int) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > limit:
            raise Failed(f"its answer is larger than {limit} bytes")
    return bytes(content)


def _json(content: bytes) -> Any:
    """Read an answer of any origin; each member is judged where it is used.

    So NaN and Infinity are numbers, and half a surrogate pair is a text; bytes that are not UTF-8 become U+FFFD.
    Raises Failed.
    """
    try:
        return json.loads(content.decode("utf-8", "replace"), parse_int=_integer)
    except json.JSONDecodeError:
        raise Failed("its answer is not JSON") from None
    except RecursionError:
        raise Failed("its answer is nested too deeply") from None


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_INTEGER else float(text)


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

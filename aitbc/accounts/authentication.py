"""From a request's headers to an Actor."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from aitbc.accounts.actors import Actor
from aitbc.accounts.errors import KeyInQuery, KeyInvalid
from aitbc.accounts.services import keys
from aitbc.core import throttling
from aitbc.core.errors import RateLimited

NAMES = frozenset({"api_key", "apikey", "api-key", "x-api-key", "x_api_key", "access_token", "authorization"})


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>` or `X-Api-Key: <key>`; never a query parameter."""

    def authenticate_header(self, request: Request) -> str:
        """Return WWW-Authenticate of a 401 (RFC 9110 §11.6.1)."""
        return 'Bearer realm="aitbc"'

    def authenticate(self, request: Request) -> tuple[Actor, UUID] | None:
        """Return the actor and the key's id (`request.auth`), or None without a key.

        Raises KeyInvalid, KeyInQuery, RateLimited.
        """
        text = presented(request.META)
        refuse_key_in_query(request.META.get("QUERY_STRING", ""), text)
        if text is None:
            return None
        try:
            actor = keys.verify(text)
        except KeyInvalid:
            if not throttling.spend(f"badkey:{throttling.caller_network(request)}", throttling.BAD_KEYS).allowed:
                raise RateLimited("Too many requests with keys that are not valid.") from None
            raise
        return actor, actor.key_id


def presented(headers: dict[str, Any]) -> str | None:
    """The key in the headers, from wherever clients put it; None without one: an empty header is no credential.

    '' stands for credentials of another scheme, which are a wrong key.
    """
    scheme, _, text = headers.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme and scheme.lower() != "bearer":
        return ""
    return text.strip() or headers.get("HTTP_X_API_KEY", "").strip() or None


def refuse_key_in_query(query: str, text: str | None) -> None:
    """URLs end up in logs. One legacy daemon sends its own key as `miner_id`: that alone passes, beside the header."""
    if not query or (
        "key" not in query.lower() and "aitbc_" not in query and "auth" not in query and "token" not in query
    ):
        return
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        value = unquote_plus(value)
        if name.lower() in NAMES and value:
            raise KeyInQuery("Send the key in the Authorization header.")
        if keys.SHAPE.search(value) and not (name == "miner_id" and value == text):
            raise KeyInQuery("Send the key in the Authorization header, and revoke this one: it is in logs now.")

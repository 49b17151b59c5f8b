"""The API as tests call it: Django's test client with an API key and JSON bodies."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client

from aitbc.accounts.models import User
from aitbc.accounts.services import keys, organisations
from tests import contract


class Api:
    """One caller; every response is checked against the schema.

    `api.post("/ai/jobs", {...}, idempotency_key="k")`: extra keyword arguments are headers.
    """

    def __init__(self, *, owner: str = "", scopes: tuple[str, ...] = (), user: User | None = None) -> None:
        """A caller with a key of this owner, or of this user, or with none."""
        self.client = Client(raise_request_exception=True)
        self.secret = ""
        self.prefix = ""
        self.owner_id: UUID | None = None
        if scopes:
            key, self.secret = keys.create(user or organisations.named(owner), scopes, f"{owner} key")
            self.prefix, self.owner_id = key.prefix, key.organisation_id

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        sent_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret:
            sent_headers.setdefault("authorization", f"Bearer {self.secret}")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = sent_headers.pop("content-type", "application/json")
        response = self.client.generic(method, path, data, content_type=content_type, headers=sent_headers)
        contract.check(method, response)
        return response

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.request("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.request("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.request("DELETE", path, body, **headers)

    def json(self, method: str, path: str, body: Any = None, *, status: int | None = None, **headers: str) -> Any:
        """The decoded response; `status`, when passed, is asserted."""
        response = self.request(method, path, body, **headers)
        assert status is None or response.status_code == status, f"{response.status_code}: {response.content!r}"
        return response.json() if response.content else None

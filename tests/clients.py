"""The API as tests use it: Django's test client with a key, speaking JSON."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client

from aitbc.accounts.services import keys, organisations
from tests import contract


class Api:
    """One caller, who holds every answer against the schema.

    `api.post("/ai/jobs", {...}, idempotency_key="k")`: extra keyword arguments are headers.
    """

    def __init__(self, *, owner: str = "", scopes: tuple[str, ...] = ()) -> None:
        self.client = Client(raise_request_exception=True)
        self.secret = ""
        self.prefix = ""
        self.owner_id: UUID | None = None
        if scopes:
            organisation = organisations.named(owner)
            key, self.secret = keys.create(organisation, scopes, f"{owner} key")
            self.prefix, self.owner_id = key.prefix, organisation.pk

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret:
            sent.setdefault("authorization", f"Bearer {self.secret}")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = sent.pop("content-type", "application/json")
        answer = self.client.generic(method, path, data, content_type=content_type, headers=sent)
        contract.check(method, answer)
        return answer

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
        """The decoded answer; with `status`, that very one is required."""
        answer = self.request(method, path, body, **headers)
        assert status is None or answer.status_code == status, f"{answer.status_code}: {answer.content!r}"
        return answer.json() if answer.content else None

"""One row that nobody foresaw takes no page down: neither a list of the API, nor a page of the admin, nor the audit.

In each table that has free JSON one row gets JSON of another form than any program of ours writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import JSONField, Model
from django.test import Client
from django.urls import reverse

from aitbc.core import invariants
from aitbc.core.db import atomic
from tests.architecture.probes import Life, Probe, parts
from tests.clients import Api
from tests.sabotage import sabotage

ODD = ["7", "[]", '"x"', "{}", "null", '{"price": "x", "max_price": {}, "gpus": 1e300, "": [[[]]]}']


def with_json() -> Iterator[tuple[type[Model], list[str]]]:
    """Each model of ours that has columns of JSON, and rows, with the names of these columns."""
    for model in apps.get_models():
        names = [field.column for field in model._meta.fields if isinstance(field, JSONField)]
        if names and model.__module__.startswith("apps.") and model._default_manager.exists():
            yield model, names


def doctored(odd: str) -> list[Model]:
    """The rows whose JSON is odd now: the newest of each table."""
    found = []
    for model, names in with_json():
        row = model._default_manager.order_by("-pk").first()
        changes = ", ".join(f"{name} = '{odd}'::jsonb" for name in names)
        newest = f"(SELECT ctid FROM {model._meta.db_table} ORDER BY {model._meta.pk.column} DESC LIMIT 1)"
        with atomic(model):
            sabotage(model, f"UPDATE {model._meta.db_table} SET {changes} WHERE ctid = {newest}")
        found.append(row)
    return found


def lists(life: Life) -> list[Probe]:
    """The probes of lists: GET, and what answers has items."""
    found = []
    for probe in [probe for probes in parts("PROBES") for probe in probes]:
        if probe.method == "GET":
            answer = probe.call(life)
            text = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if answer.headers.get("Content-Type", "").startswith("application/json"):
                content = json.loads(text)
                if isinstance(content, list) or isinstance(content.get("items"), list):
                    found.append(probe)
    return found


def pages(row: Model) -> list[str]:
    """The pages of the admin that show this row: its list and its own."""
    if type(row) not in admin.site._registry:
        return []
    page = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    return [reverse(f"{page}_changelist"), reverse(f"{page}_change", args=[row.pk])]


def status_of(caller: Api, path: str) -> int:
    """How the API answers, whatever the schema says of it."""
    headers = {"authorization": f"Bearer {caller.secret}"} if caller.secret else {}
    return Client(raise_request_exception=False).get(path, headers=headers).status_code


@pytest.mark.transaction  # a check that a row makes impossible may spoil only its own transaction
@pytest.mark.parametrize("odd", ODD)
def test_odd_json_in_a_row_takes_no_page_down(odd, life):
    tried = lists(life)
    browser = Client(raise_request_exception=False)
    browser.force_login(get_user_model().objects.create_superuser("root", "r@example.org", "secret-enough-9"))

    rows = doctored(odd)
    shown = {url: browser.get(url).status_code for row in rows for url in pages(row)}
    read = {
        f"{probe.path} of {probe.who}": status_of(getattr(life, probe.who), life.filled(probe.path)) for probe in tried
    }

    assert len(rows) > 20 and len(read) > 20
    assert {url: status for url, status in (shown | read).items() if status >= 500} == {}
    assert invariants.run()

"""Heartbeats in the admin: looked at, never edited."""

from __future__ import annotations

import pytest
from django.test import Client

from aitbc.accounts.services import users
from tests.monitoring.factories import QUEUE, ended, row


@pytest.fixture
def browser(db) -> Client:
    users.register(username="root", password="a long enough pass phrase", is_staff=True, is_superuser=True)
    client = Client()
    client.post("/admin/login/", {"username": "root", "password": "a long enough pass phrase"})
    return client


def test_the_page_shows_each_and_filters_what_is_overdue(browser):
    ended(QUEUE, 0)

    page = browser.get("/admin/monitoring/heartbeat/")
    overdue = browser.get("/admin/monitoring/heartbeat/", {"overdue_since__isempty": "0"})

    assert page.status_code == 200 and ">gpu<" in page.content.decode()
    assert overdue.status_code == 200 and ">gpu<" not in overdue.content.decode()


def test_nothing_can_be_changed(browser):
    ended(QUEUE, 0)
    page = f"/admin/monitoring/heartbeat/{row(QUEUE).pk}"

    assert browser.get(f"{page}/change/").status_code == 200
    assert browser.post(f"{page}/change/", {"name": "x"}).status_code == 403
    assert browser.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get("/admin/monitoring/heartbeat/add/").status_code == 403

"""Signing in, being locked out, and what the admin does and does not allow."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from aitbc.accounts.models import ApiKey, AuditEntry, Organisation
from aitbc.accounts.services import keys, organisations, users
from aitbc.core.ids import uuid7
from aitbc.core.messaging.models import ATTEMPTS, NEVER
from aitbc.domains import LABELS
from apps.trading.models import Outbox

PASSWORD = "a long enough pass phrase"


@pytest.fixture
def admin(db) -> Client:
    users.register(username="root", password=PASSWORD, is_staff=True, is_superuser=True)
    browser = Client()
    answer = browser.post("/admin/login/", {"username": "root", "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def test_five_failures_lock_the_door(db):
    users.register(username="root", password=PASSWORD, is_staff=True)
    browser = Client()

    answers = [browser.post("/admin/login/", {"username": "root", "password": "wrong"}) for _ in range(5)]

    assert answers[-1].status_code == 429
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert browser.post("/admin/login/", {"username": "root", "password": PASSWORD}).status_code == 429


def test_a_browser_can_sign_in(db):
    """A page that forbids referrers makes browsers post its forms from the origin `null`, which no site trusts."""
    users.register(username="root", password=PASSWORD, is_staff=True)
    browser = Client(enforce_csrf_checks=True)
    page = browser.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[1]
    origin = "null" if page["Referrer-Policy"] == "no-referrer" else "http://testserver"

    form = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = browser.post(
        "/admin/login/", form, headers={"origin": origin, "referer": "http://testserver/admin/login/"}
    )

    assert answer.status_code == 302


@pytest.mark.parametrize("label", LABELS)
def test_every_domain_shows_its_outbox(admin, label):
    assert admin.get(f"/admin/{label}/outbox/").status_code == 200


def test_forms_without_a_token_are_refused(db):
    browser = Client(enforce_csrf_checks=True)

    answer = browser.post("/admin/login/", {"username": "root", "password": PASSWORD})

    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"


def test_every_user_has_a_personal_organisation(db):
    user = users.register(username="alice", password=None)

    assert Organisation.objects.get(person=user).name == "alice"
    assert organisations.personal(user) == organisations.personal(user)


def test_a_name_taken_by_an_organisation_is_not_handed_to_a_newcomer(db):
    organisations.named("acme")

    assert organisations.personal(users.register(username="acme", password=None)).name != "acme"


def test_a_key_made_in_the_admin_is_shown_once_and_works(admin):
    owner = organisations.named("alice")

    answer = admin.post(
        "/admin/accounts/apikey/add/", {"organisation": owner.pk, "name": "laptop", "scopes": ["client"]}, follow=True
    )

    secret = re.search(r"aitbc_[0-9a-f]{12}_[\w-]{43}", answer.content.decode())
    assert secret is not None
    assert keys.verify(secret[0]).pk == owner.pk
    assert ApiKey.objects.filter(organisation=owner).count() == 1
    assert secret[0] not in admin.get("/admin/accounts/apikey/").content.decode()


def test_a_ban_asks_for_a_reason_and_is_written_down(admin):
    owner = organisations.named("mallory")
    chosen = {"action": "ban", "_selected_action": [owner.pk]}

    assert b"Reason" in admin.post("/admin/accounts/organisation/", chosen).content
    admin.post("/admin/accounts/organisation/", {**chosen, "apply": "1", "reason": "fraud"})

    owner.refresh_from_db()
    assert owner.banned_at is not None
    assert AuditEntry.objects.filter(action="organisation.ban", reason="fraud", actor="user:root").exists()


def test_dead_letters_are_redelivered_or_dropped_with_a_reason(admin):
    def dead() -> Outbox:
        return Outbox.objects.create(
            message_id=uuid7(), consumer="nobody", name="x", key="k", payload={}, due_at=NEVER, attempts=ATTEMPTS
        )

    first, second = dead(), dead()
    assert admin.get("/admin/trading/outbox/").status_code == 200
    admin.post("/admin/trading/outbox/", {"action": "redeliver", "_selected_action": [first.pk]})
    first.refresh_from_db()
    assert first.attempts == 0 and first.due_at < NEVER

    admin.post(
        "/admin/trading/outbox/",
        {"action": "drop", "_selected_action": [second.pk], "apply": "1", "reason": "obsolete"},
    )
    second.refresh_from_db()
    assert second.consumer == "nobody!dropped"
    assert "obsolete" in second.last_error


def test_the_admin_edits_no_audit_row(admin):
    entry = AuditEntry.objects.create(actor="a", action="b", subject="c")

    assert admin.get(f"/admin/accounts/auditentry/{entry.pk}/change/").status_code == 200
    assert admin.post(f"/admin/accounts/auditentry/{entry.pk}/change/", {}).status_code == 403
    assert admin.post(f"/admin/accounts/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403

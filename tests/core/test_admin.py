"""Every page of the admin: each column once, amounts with their unit, links that lead somewhere."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory
from django.urls import reverse

from aitbc.accounts.admin import OWNED
from aitbc.accounts.models import Organisation
from aitbc.core import admin_actions
from aitbc.core.admin import DomainAdmin
from aitbc.core.admin_columns import NAMED, Related, amounts_of, heading, links_of, page
from aitbc.core.ids import uuid7
from apps.trading.models import Payment

PAGES = [one for one in admin.site._registry.values() if isinstance(one, DomainAdmin)]
RELATED = [(one.model._meta.label, related) for one in PAGES for related in one.related]
RELATED += [("accounts.Organisation", related) for related in OWNED]


@pytest.fixture
def root(db):
    return get_user_model().objects.create_superuser("root", "root@example.org", "secret-enough-9")


@pytest.fixture
def staff(root) -> Client:
    client = Client()
    client.force_login(root)
    return client


def named(one: object) -> str:
    return one.model._meta.label if isinstance(one, DomainAdmin) else str(one)


@pytest.mark.parametrize("shown", PAGES, ids=named)
def test_each_column_is_shown_once(shown, root):
    request = RequestFactory().get("/")
    request.user = root
    for names in (shown.get_fields(request), shown.get_list_display(request)):
        assert len(names) == len(set(names))
        raw = [name.removesuffix("_ait").removesuffix("_link") for name in names if isinstance(name, str)]
        assert len(raw) == len(set(raw)), f"shown twice: {sorted(raw)}"


WITH_ACTIONS = [
    (one, name) for one in admin.site._registry.values() for name in one.actions or () if isinstance(name, str)
]


@pytest.mark.parametrize(("shown", "action"), WITH_ACTIONS, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("written", ["x", "\x00", "", "1e3", "9" * 30])
def test_an_action_on_what_is_no_row_does_nothing_and_says_so(shown, action, written, staff):
    """A tampered form; it was a ValidationError, 500."""
    where = reverse(f"admin:{shown.opts.app_label}_{shown.opts.model_name}_changelist")
    body = {"action": action, "_selected_action": [written, str(uuid7())], "reason": "x", "apply": "1"}

    answer = staff.post(where, body, follow=True)

    assert (answer.status_code, answer.redirect_chain) == (200, [(where, 302)])
    assert "names something that is no row" in answer.content.decode()


@pytest.mark.parametrize("shown", PAGES, ids=named)
def test_every_amount_is_shown_with_its_unit(shown, root):
    request = RequestFactory().get("/")
    request.user = root
    fields = {*shown.get_fields(request), *shown.get_list_display(request)}

    assert fields.isdisjoint(amounts_of(shown.model))
    assert all("AIT" in heading(name) for name in amounts_of(shown.model))


@pytest.mark.parametrize("shown", PAGES, ids=named)
def test_every_id_of_something_else_is_a_link(shown):
    links = links_of(shown.model)

    for field in shown.model._meta.concrete_fields:
        if field.name in NAMED and not field.primary_key:
            assert field.name in links
    assert all(reverse(page(target), args=["1"]) for target in links.values())
    if any(field.name == "subject_id" for field in shown.model._meta.fields) and "Review" not in named(shown):
        assert "subject_id" in links


@pytest.mark.parametrize(("label", "related"), RELATED, ids=str)
def test_every_link_to_what_names_a_row_opens_a_list(label, related: Related, staff):
    some_id = "0190f3c2-0000-7000-8000-000000000001"
    row = SimpleNamespace(**{"pk": some_id, related.own: some_id})

    answer = staff.get(related.url(row))

    assert answer.status_code == 200, answer.headers.get("Location")


def test_a_row_without_a_value_has_no_link():
    assert Related("receipt", "trading.receipt", "job_id", own="miner_id").url(Payment(miner_id=None)) == ""


REASONED = [
    ("accounts", "organisation", "ban"),
    ("accounts", "organisation", "unban"),
    ("accounts", "apikey", "revoke"),
    ("ai", "aijob", "put_first"),
    ("ai", "aijob", "cancel_and_hide"),
    ("gpu", "gpuregistry", "quarantine"),
    ("gpu", "gpuregistry", "release"),
    ("marketplace", "marketplaceoffer", "pause"),
    ("marketplace", "marketplaceoffer", "withdraw"),
    ("marketplace", "marketplacedemand", "cancel"),
    ("marketplace", "gpubooking", "cancel_for_provider"),
    ("marketplace", "gpubooking", "cancel_for_renter"),
    ("marketplace", "gpureview", "hide"),
    ("trading", "outbox", "drop"),
]


@pytest.mark.parametrize(("label", "model", "action"), REASONED)
def test_every_privileged_action_explains_itself(label, model, action, root):
    """Called as the admin calls it, with no rows chosen: the page is the same."""
    shown = admin.site.get_model_admin(apps.get_model(label, model))
    request = RequestFactory().post(f"/admin/{label}/{model}/?state=open", {"action": action})
    request.user, request.session = root, {}
    rows = shown.get_queryset(request).none()

    answer = shown.get_actions(request)[action][0](shown, request, rows)

    act = answer.context_data["act"]
    assert act.name == action and act.title
    assert act.effect.startswith(("Each ", "Every ", "The ")) and act.effect.endswith(".")
    assert answer.context_data["back"] == f"/admin/{label}/{model}/?state=open"


def chosen(staff: Client, *rows: Organisation, **more: str) -> str:
    body = {"action": "ban", "_selected_action": [str(row.pk) for row in rows], **more}
    return staff.post("/admin/accounts/organisation/?q=o", body, follow=True).content.decode()


def test_the_page_says_on_what_it_acts_what_that_does_and_how_to_leave(staff, api_for):
    api_for("one", "client"), api_for("two", "client")
    one, two = Organisation.objects.filter(name__in=("one", "two")).order_by("name")

    html = chosen(staff, one, two)

    for row in (one, two):
        assert re.search(rf'<a[^>]*href="/admin/accounts/organisation/{row.pk}/change/">{row.name}</a>', html)
    assert "It acts on 2 organisations" in html
    assert "Every request with a key of each owner is refused" in html
    assert re.search(r'<a href="/admin/accounts/organisation/\?q=o"[^>]*>\s*Cancel\s*</a>', html)
    assert re.search(r"<button[^>]*>\s*Ban\s*</button>", html)
    assert not Organisation.objects.exclude(banned_at=None).exists()


def test_an_empty_reason_is_refused_on_the_page(staff, api_for):
    api_for("one", "client")
    one = Organisation.objects.get(name="one")

    assert "This field is required." in chosen(staff, one, apply="1", reason=" ")
    one.refresh_from_db()
    assert one.banned_at is None


def test_all_rows_of_a_list_stay_chosen_when_the_page_names_only_some(staff, api_for, monkeypatch):
    monkeypatch.setattr(admin_actions, "LISTED", 2)
    for number in range(5):
        api_for(f"owner {number}", "client")
    rows = Organisation.objects.filter(name__startswith="owner")

    html = chosen(staff, rows[0], select_across="1")
    assert "and 3 more" in html
    assert html.count('name="_selected_action"') == 2 and 'name="select_across" value="1"' in html

    chosen(staff, rows[0], select_across="1", apply="1", reason="all of them")
    assert rows.exclude(banned_at=None).count() == 5

"""manage.py key: from the first key to its end."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aitbc.accounts.services import keys


def run(*words: str) -> str:
    out = StringIO()
    call_command("key", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_key_is_made_listed_and_revoked():
    made = json.loads(
        run("create", "--owner", "alice", "--scope", "client", "--scope", "read", "--days", "3", "--json")
    )
    assert keys.verify(made["key"]).scopes == {"client", "read"}

    (listed,) = json.loads(run("list", "--owner", "alice", "--json"))
    assert listed["prefix"] == made["prefix"]
    assert "key" not in listed
    assert made["prefix"] in run("list")

    assert made["prefix"] in run("revoke", made["prefix"], "--reason", "lost")
    assert json.loads(run("list", "--owner", "alice", "--json")) == []
    with pytest.raises(CommandError, match="No live key"):
        run("revoke", made["prefix"])


def test_plain_output_is_the_secret_alone():
    secret = run("create", "--owner", "bob", "--scope", "miner").strip()

    assert keys.verify(secret).name == "bob"

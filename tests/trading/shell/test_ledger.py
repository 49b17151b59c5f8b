"""`manage.py ledger`: mint, balance, statement."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from aitbc.accounts.errors import KeyInvalid
from aitbc.accounts.services import keys, organisations
from aitbc.core.cli.errors import Failure
from aitbc.core.cli.tables import shortest_length
from tests.trading.inspection import worth


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("ledger", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_shell_mints_and_shows(db: None) -> None:
    owner = organisations.named("dev")

    run("mint", "dev", "12.5", "--reason", "demo")

    assert worth(owner.pk) == [12_500_000]
    assert run("balance", "dev")[0]["available"] == "12.500000"
    [line] = run("statement", str(owner.pk))
    assert (line["amount"], line["code"], line["reason"]) == ("12.500000", "deposit", "demo")
    out = StringIO()
    call_command("ledger", "balance", stdout=out)
    assert "dev" in out.getvalue() and "12.500000" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ("mint", "nobody", "1", "--reason", "x"), ("mint", "dev", "much", "--reason", "x"),
        ("mint", "dev", "-1", "--reason", "x"), ("mint", "dev", "1"), ("statement", "dev", "--limit", "0"), ("spend",),
    ],
)  # fmt: skip
def test_the_shell_says_what_is_wrong(arguments: tuple[str, ...]) -> None:
    organisations.named("dev")

    with pytest.raises(CommandError):
        run(*arguments)


def test_an_owner_may_be_named_by_the_beginning_of_its_id(db: None) -> None:
    first, second = organisations.named("dev"), organisations.named("farm")
    run("mint", "dev", "1", "--reason", "demo")
    short = str(first.pk)[: shortest_length({str(first.pk), str(second.pk)})]

    assert run("balance", short)[0]["owner"] == "dev"
    assert len(run("statement", short)) == 1
    with pytest.raises(Failure, match="No organisation .* begins with deadbeef"):
        run("balance", "deadbeef")


def test_a_key_may_be_named_by_the_beginning_of_its_prefix(db: None) -> None:
    key, secret = keys.create(organisations.named("dev"), ["client"], "laptop")

    with pytest.raises(Failure, match="No live key .* begins with zzzzzzzz"):
        call_command("key", "revoke", "zzzzzzzz", stdout=StringIO())
    call_command("key", "revoke", key.prefix[:8], stdout=StringIO())

    with pytest.raises(KeyInvalid):
        keys.verify(secret)

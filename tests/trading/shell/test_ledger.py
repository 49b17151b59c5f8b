"""`manage.py ledger`: mint, balance, statement, owners."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from aitbc.accounts.errors import KeyInvalid, OwnerUnknown
from aitbc.accounts.models import User
from aitbc.accounts.services import keys, organisations
from aitbc.core.cli.errors import Failure
from aitbc.core.cli.tables import shortest_length
from apps.trading.models import LedgerAccount
from apps.trading.states import AccountKind
from tests.trading.inspection import unguarded, worth


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


def test_an_owner_is_named_by_name_username_or_id(db: None) -> None:
    farm = organisations.named("farm-7")
    # `manage.py createsuperuser` makes a user without an organisation.
    dev = User.objects.create_user("dev")

    for name in ("farm-7", str(farm.pk), "dev"):
        run("mint", name, "1", "--reason", "demo")

    own = organisations.find("dev")
    assert own.person == dev and worth(farm.pk, own.pk) == [2_000_000, 1_000_000]
    assert run("owners", "DE") == [{"name": "dev", "username": "dev", "id": str(own.pk)}]
    assert {one["name"] for one in run("owners")} == {"farm-7", "dev"}


def test_a_name_of_two_owners_names_neither(db: None) -> None:
    organisation = organisations.named("dev")
    person = organisations.personal(User.objects.create_user("dev"))

    with pytest.raises(CommandError, match=f"{organisation.pk} or {person.pk}"):
        run("mint", "dev", "1", "--reason", "demo")

    assert worth(organisation.pk, person.pk) == [0, 0]


def test_the_shell_reverses_a_deposit_but_not_where_two_decide(db: None) -> None:
    owner = organisations.named("dev")
    small, large = (run("mint", "dev", amount, "--reason", "demo")[0]["transfer"] for amount in ("5", "1000.000001"))

    [done] = run("reverse", small, "--reason", "by mistake")

    assert (done["state"], done["amount"], done["transfer"]) == ("posted", "5.000000", small)
    assert worth(owner.pk) == [1_000_000_001] and run("reversals") == [done]
    with pytest.raises(CommandError, match="two users decide"):
        run("reverse", large, "--reason", "by mistake")


def test_the_shards_of_an_account_are_one_line(db: None) -> None:
    fees = [LedgerAccount(owner_id=UUID(int=0), kind=AccountKind.FEES, shard=n, posted_credits=5 + n) for n in (0, 1)]
    with unguarded():
        LedgerAccount.objects.bulk_create(fees)

    (line,) = [one for one in run("balance") if one["kind"] == "fees"]

    assert (line["owner"], line["available"], line["total"]) == ("the exchange", "0.000011", "0.000011")


@pytest.mark.parametrize(
    "arguments",
    [
        ("mint", "nobody", "1", "--reason", "x"), ("mint", str(uuid4()), "1", "--reason", "x"),
        ("mint", "dev", "much", "--reason", "x"),
        ("mint", "dev", "-1", "--reason", "x"), ("mint", "dev", "1"), ("statement", "dev", "--limit", "0"), ("spend",),
        ("reverse", str(uuid4()), "--reason", "x"), ("reverse", "me", "--reason", "x"), ("reversals", "--limit", "0"),
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


def test_an_error_of_the_exchange_keeps_its_code(db: None) -> None:
    with pytest.raises(Failure) as failure:
        run("balance", "nobody")

    assert (failure.value.returncode, failure.value.members["code"]) == (1, OwnerUnknown().code)

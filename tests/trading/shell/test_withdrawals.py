"""`manage.py ledger withdraw|withdrawals|approve|reject|pay`."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.management import CommandError

from aitbc.accounts.services import organisations
from aitbc.core.cli.errors import Failure
from tests.trading.inspection import worth
from tests.trading.reversing import AIT, BIG, deposited
from tests.trading.shell.test_ledger import run
from tests.trading.withdrawing import withdrawal


def test_the_shell_requests_approves_and_pays(db: None) -> None:
    owner = organisations.named("dev").pk
    deposited(10 * AIT, owner)

    [made] = run("withdraw", "dev", "4", "--to", "IBAN DE02")
    [other] = run("withdraw", "dev", "1", "--to", "IBAN DE03")

    assert (made["owner"], made["amount"], made["state"], made["to"]) == ("dev", "4.000000", "requested", "IBAN DE02")
    assert worth(owner) == [5 * AIT]
    assert "then `pay`" in run("approve", made["id"])[0]["next"]
    [paid] = run("pay", made["id"], "--reference", "bank 1")
    assert (paid["state"], paid["because"], paid["next"]) == ("paid", "bank 1", None)
    assert run("reject", other["id"], "--reason", "unknown bank")[0]["because"] == "unknown bank"
    assert worth(owner) == [6 * AIT]
    assert [one["id"] for one in run("withdrawals", "--owner", "dev")] == [other["id"], made["id"]]
    assert run("withdrawals", "--state", "paid") == [paid]


def test_too_much_says_what_is_needed_and_what_there_is(db: None) -> None:
    deposited(3 * AIT, organisations.named("dev").pk)

    with pytest.raises(Failure, match=r"needed 4\.000000, available 3\.000000") as raised:
        run("withdraw", "dev", "4", "--to", "IBAN DE02")

    members = raised.value.members
    assert (members["code"], members["needed"], members["available"]) == ("insufficient_funds", "4.000000", "3.000000")


def test_two_users_do_not_decide_at_the_shell(db: None) -> None:
    row = withdrawal(BIG)

    with pytest.raises(CommandError, match="two users decide"):
        run("approve", str(row.pk))


def test_the_beginning_of_an_id_is_enough(db: None) -> None:
    row, deposit = withdrawal(AIT), deposited(AIT)

    assert run("approve", str(row.pk)[:30])[0]["id"] == str(row.pk)
    assert run("reverse", str(deposit.pk)[:30], "--reason", "by mistake")[0]["transfer"] == str(deposit.pk)


@pytest.mark.parametrize(
    "arguments",
    [
        ("withdraw", "nobody", "1", "--to", "x"), ("withdraw", "dev", "1", "--to", "x"), ("withdraw", "dev", "1"),
        ("approve", str(uuid4())), ("approve", "x"), ("reject", str(uuid4()), "--reason", "x"),
        ("pay", str(uuid4()), "--reference", "x"), ("withdrawals", "--state", "lost"), ("withdrawals", "--limit", "0"),
    ],
)  # fmt: skip
def test_the_shell_says_what_is_wrong(arguments: tuple[str, ...]) -> None:
    organisations.named("dev")

    with pytest.raises(CommandError):
        run(*arguments)

"""Invariant of whose the accounts are (docs/ledger.md): I14b, at every instant.

The log names accounts by their random ids; whose they are stands in `trading_ledgeraccount` alone. What an owner paid
or earned is recorded beside it, and contradicts an account that was moved to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.trading.models import Transfer
from apps.trading.models.ledger import EXCHANGE

LIMIT = 100
# Each transfer with the owner and kind that its debit and its credit account are to have.
EXPECTED = """
SELECT t.id, t.code, t.debit_id, t.credit_id, p.owner_id AS debtor,
  CASE WHEN t.code IN ('payout', 'fee') THEN 'escrow' ELSE 'available' END AS debit_kind,
  CASE t.code WHEN 'payout' THEN p.provider_id WHEN 'fee' THEN %(exchange)s ELSE p.owner_id END AS creditor,
  CASE t.code WHEN 'payout' THEN 'available' WHEN 'fee' THEN 'fees' ELSE 'escrow' END AS credit_kind
FROM trading_transfer t JOIN trading_payment p ON p.job_id = t.ref
WHERE t.code IN ('hold', 'capture', 'release', 'payout', 'fee')
UNION ALL
SELECT t.id, t.code, t.debit_id, t.credit_id, CASE t.code WHEN 'fund' THEN e.renter_id ELSE e.booking_id END,
  CASE t.code WHEN 'fund' THEN 'available' ELSE 'escrow' END,
  CASE t.code WHEN 'fund' THEN e.booking_id WHEN 'accrue' THEN e.provider_id WHEN 'fee' THEN %(exchange)s
    ELSE e.renter_id END,
  CASE t.code WHEN 'fund' THEN 'escrow' WHEN 'fee' THEN 'fees' ELSE 'available' END
FROM trading_transfer t JOIN trading_escrow e ON e.booking_id = t.ref
WHERE t.code IN ('fund', 'accrue', 'fee', 'return')
UNION ALL
SELECT t.id, t.code, t.debit_id, t.credit_id, b.owner_id, CASE t.code WHEN 'bond' THEN 'available' ELSE 'bond' END,
  CASE t.code WHEN 'bond' THEN b.owner_id ELSE b.beneficiary_id END,
  CASE t.code WHEN 'bond' THEN 'bond' ELSE 'available' END
FROM trading_transfer t JOIN trading_bond b ON b.ref = t.ref WHERE t.code IN ('bond', 'compensate')
UNION ALL
SELECT t.id, t.code, t.debit_id, t.credit_id, w.owner_id, 'available', %(exchange)s, 'external'
FROM trading_transfer t JOIN trading_withdrawal w ON w.id = t.ref WHERE t.code = 'withdrawal'
"""
FOREIGN = f"""
SELECT x.id, x.code, d.id, d.owner_id, c.id, c.owner_id FROM ({EXPECTED}) x
JOIN trading_ledgeraccount d ON d.id = x.debit_id JOIN trading_ledgeraccount c ON c.id = x.credit_id
WHERE (d.owner_id, d.kind, c.owner_id, c.kind) IS DISTINCT FROM (x.debtor, x.debit_kind, x.creditor, x.credit_kind)
LIMIT {LIMIT}
"""


@invariant("I14b", db="trading")
def accounts_belong_to_the_parties() -> Iterable[str]:
    """The accounts of a payment's, booking's, bond's or withdrawal's transfers are of the owners that its row names."""
    with cursor(Transfer) as sql:
        sql.execute(FOREIGN, {"exchange": EXCHANGE})
        for pk, code, debit, debtor, credit, creditor in sql.fetchall():
            sides = f"from account {debit} of {debtor} to account {credit} of {creditor}"
            yield f"{code} {pk} went {sides}, who are not the parties that its row names"

"""What must be true of the advice that every registered card would be given now (spec/gpu.md §9.5, U1).

U2 and U4 are laws of the formulas, whatever is stored (learned efficiencies never pass 1): Hypothesis judges them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aitbc.core.audit import invariant
from apps.gpu import llm, roofline
from apps.gpu.advice import Plan, Subject, Wish, plan
from apps.gpu.errors import CardUnfit
from apps.gpu.models import GPURegistry
from apps.gpu.services.advising import subject_of

MOST = 100  # cards looked at, the newest first: each is asked about every model of the table
AS_SOLD = 1.1  # a card may report this much of its model's memory, as when its name is recognised


def advised() -> Iterator[tuple[GPURegistry, Subject, Plan]]:
    cards = GPURegistry.objects.present().select_related("profile", "miner").order_by("-created_at")[:MOST]
    for card in cards:
        try:
            subject = subject_of(card)
        except CardUnfit:
            continue  # nothing is known of it: it is given no advice
        plans = (plan(subject, Wish(model)) for model in llm.models().values())
        yield from ((card, subject, found) for found in plans if found is not None)


@invariant("U1", db="gpu")
def advice_fits_the_memory() -> Iterable[str]:
    """What is recommended needs no more memory than is usable, nor than such a card is sold with."""
    for card, subject, found in advised():
        needed = roofline.need(found.load)
        sold = card.profile.memory_gb * 2**30 * AS_SOLD if card.profile else subject.device.memory
        if needed > min(subject.device.usable, sold):
            yield f"card {card.pk}: {found.load.model.name} is recommended, and does not fit"

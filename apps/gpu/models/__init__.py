from apps.gpu.models.leases import LateResult, Lease
from apps.gpu.models.messages import Clock, IdempotencyRecord, Inbox, Outbox
from apps.gpu.models.miners import Backend, Miner, MinerGpu, MinerTransition
from apps.gpu.models.work import ClassHeads, FairShare, RequirementClass, Work

__all__ = [
    "Backend",
    "ClassHeads",
    "Clock",
    "FairShare",
    "IdempotencyRecord",
    "Inbox",
    "LateResult",
    "Lease",
    "Miner",
    "MinerGpu",
    "MinerTransition",
    "Outbox",
    "RequirementClass",
    "Work",
]

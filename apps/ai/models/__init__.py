from apps.ai.models.artifacts import Artifact
from apps.ai.models.input_claims import InputClaim
from apps.ai.models.jobs import AIJob, AIJobQuerySet, AIJobResult, DeadLetter, JobEvent, OperatorAct
from apps.ai.models.messages import IdempotencyRecord, Inbox, Outbox

__all__ = [
    "AIJob",
    "AIJobQuerySet",
    "AIJobResult",
    "Artifact",
    "DeadLetter",
    "IdempotencyRecord",
    "Inbox",
    "InputClaim",
    "JobEvent",
    "OperatorAct",
    "Outbox",
]

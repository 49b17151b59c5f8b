from apps.ai.models.jobs import (
    AIJob,
    AIJobQuerySet,
    AIJobResult,
    Artifact,
    DeadLetter,
    IdempotencyRecord,
    Inbox,
    JobEvent,
    OperatorAct,
    Outbox,
)

__all__ = [
    "AIJob",
    "AIJobQuerySet",
    "AIJobResult",
    "Artifact",
    "DeadLetter",
    "IdempotencyRecord",
    "Inbox",
    "JobEvent",
    "OperatorAct",
    "Outbox",
]

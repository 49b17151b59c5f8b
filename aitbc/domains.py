"""The one table of domains: databases, routes, queues and services are derived from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """One domain: its app label (also its database alias and Celery queue), gateway prefix and own port."""

    label: str
    prefix: str
    port: int
    title: str


DOMAINS = (
    Domain("gpu", "gpu", 8101, "GPU registry and miners"),
    Domain("marketplace", "marketplace", 8102, "Marketplace"),
    Domain("trading", "trading", 8104, "Trading, ledger and explorer"),
    Domain("governance", "governance", 8105, "Governance"),
    Domain("ai", "ai", 8106, "AI jobs"),
    Domain("monitoring", "monitoring", 8107, "Monitoring"),
    Domain("openclaw", "openclaw", 8108, "OpenClaw agents and edge"),
    Domain("plugins", "plugin", 8109, "Plugin registry"),
)
GATEWAY_PORT = 8080
LABELS = tuple(domain.label for domain in DOMAINS)
BY_LABEL = {domain.label: domain for domain in DOMAINS}


def served(services: str) -> tuple[Domain, ...]:
    """The domains named in a comma list (AITBC_SERVICES), or all of them when it is empty."""
    names = [name.strip() for name in services.split(",") if name.strip()]
    unknown = set(names) - set(LABELS)
    if unknown:
        raise ValueError(f"AITBC_SERVICES names unknown services {sorted(unknown)}; known are {', '.join(LABELS)}")
    return tuple(BY_LABEL[name] for name in names) if names else DOMAINS

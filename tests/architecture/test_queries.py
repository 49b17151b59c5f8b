"""Borders that only the running project shows."""

from __future__ import annotations

from django.apps import apps
from django.core.checks import run_checks
from kombu import Queue

from aitbc.celery import app
from aitbc.core.routers import home
from aitbc.domains import DOMAINS, LABELS


def test_the_system_checks_are_clean():
    assert run_checks() == []


def test_each_domain_has_an_app_a_database_and_a_queue(settings):
    queues: list[Queue] = app.conf.task_queues

    for domain in DOMAINS:
        assert apps.get_app_config(domain.label)
        assert domain.label in settings.DATABASES
        own = [queue for queue in queues if queue.name == domain.label]
        assert [(q.exchange.name, q.routing_key) for q in own] == [(domain.label, domain.label)]


def test_every_model_lives_in_exactly_one_database():
    assert {home(model._meta.app_label) for model in apps.get_models()} == {"default", *LABELS}

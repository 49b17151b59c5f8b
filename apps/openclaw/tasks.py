"""Celery entry points of openclaw, each calling one service; there are none yet."""

"""Celery entry points of governance, each calling one service; there are none yet."""

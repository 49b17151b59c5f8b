"""Celery entry points of plugins, each calling one service; there are none yet."""

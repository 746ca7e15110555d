"""Measurements of the hub, beside a bare floor and a Celery chain; `docs/performance.md` says how."""

"""Write `docs/contracts.md`: `.venv/bin/python -m tests.docs`."""

from tests.docs.catalogue import PAGE, catalogue

PAGE.write_text(catalogue(), encoding="utf-8")

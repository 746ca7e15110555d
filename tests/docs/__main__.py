"""Write the pages and drawings that are made from the code: `.venv/bin/python -m tests.docs`."""

from tests.docs.catalogue import PAGE, catalogue
from tests.docs.events import PAGE as EVENTS
from tests.docs.events import page as events
from tests.docs.lifecycle import PAGE as ONWARD_REFERRALS
from tests.docs.lifecycle import page as onward_referrals
from tests.docs.reference import PAGE as PROFILES
from tests.docs.reference import page

PAGE.write_text(catalogue(), encoding="utf-8")
PROFILES.write_text(page(), encoding="utf-8")
EVENTS.write_text(events(), encoding="utf-8")
ONWARD_REFERRALS.write_text(onward_referrals(), encoding="utf-8")

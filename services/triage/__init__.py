"""Triage: decides acceptance, entitlement, level, needs and first contact, and owns the case."""

"""Request and response bodies of triage."""

"""All queries of triage, and the translation between rows and the words of the service."""

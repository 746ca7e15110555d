"""What triage can do, one function each."""

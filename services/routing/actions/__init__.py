"""What routing can do; each action is one transaction, over a batch of events."""

"""The decisions of partners, pure: the gate, the transitions, and when and whether to try a webhook."""

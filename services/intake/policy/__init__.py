"""Pure decisions of intake: about what arrives, and about the messages that go out."""

"""The services behind the gateway. Each has the same rooms; none imports another."""

"""The gateway's own calls: tokens, keys, and the description of the API."""

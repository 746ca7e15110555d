"""`onward partner sandbox`: plays the hub towards a partner's own implementation, with invented data."""

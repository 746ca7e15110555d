"""Onward on one machine: all deployables composed in one process, and the operator's command `onward`."""

"""What the gateway can do: issue tokens, keep its keys, register clients, describe the whole API."""

from gateway.actions.deps import Deps, Identity

__all__ = ["Deps", "Identity"]

"""Messages to persons: one port, and what stands behind it: a provider, or a file of what would have been sent."""

from hubkit.messenger.folder import FolderMessenger
from hubkit.messenger.notify import NOTIFY_URL, NotifyMessenger
from hubkit.messenger.port import METHODS, Failure, Message, Messenger, Receipt

__all__ = [
    "METHODS",
    "NOTIFY_URL",
    "Failure",
    "FolderMessenger",
    "Message",
    "Messenger",
    "NotifyMessenger",
    "Receipt",
]

"""The versions of one hub's profile, by date; the file is read again when it changes."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from hubkit.contracts.profile import Profile
from hubkit.profiles.fault import ProfileError
from hubkit.profiles.validate import read_versions
from hubkit.telemetry import PROFILE_READS

_LOG = logging.getLogger(__name__)
#: The file is looked at so often at most.
_SECONDS = 2.0

T = TypeVar("T")


class ProfileBook:
    """All versions of one hub's profile.

    While the file stands, the same day gives the same object. A changed file takes effect within seconds and without
    a restart; a bad one is logged as `profile_invalid`, and what was read before stays in effect.

    Parameters
    ----------
    parameters
        Values for the profile's parameters, before those in the file.
    """

    def __init__(self, path: str | Path, parameters: Mapping[str, Any] | None = None) -> None:
        self._path = Path(path)
        self._parameters = dict(parameters or {})
        self._seen = self._signature()
        self._looked = time.monotonic()
        self._versions = read_versions(self._path, self._parameters)

    @classmethod
    def load(cls, path: str | Path, parameters: Mapping[str, Any] | None = None) -> Self:
        """Read a file.

        Raises
        ------
        ProfileError
            When the file is missing, not YAML, or not a valid profile, or when versions overlap.
        """
        return cls(path, parameters)

    @property
    def versions(self) -> tuple[Profile, ...]:
        """Return every version, the earliest first."""
        self._refresh()
        return self._versions

    def at(self, day: date) -> Profile:
        """Return the version of a local day; of a day without one the version before it, or else the first.

        What such a version says of a day outside its own dates is that it has ended, or has not started.
        """
        versions = self.versions
        begun = [profile for profile in versions if profile.valid_from is None or profile.valid_from <= day]
        return begun[-1] if begun else versions[0]

    def current(self, now: datetime) -> Profile:
        """Return the version of the local day of a moment."""
        return self.at(self.versions[0].local_day(now))

    def version(self, name: str) -> Profile | None:
        """Return the version of this name, or None when the file no longer has it."""
        return next((profile for profile in self.versions if profile.version == name), None)

    def _signature(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < _SECONDS:
            return
        self._looked = now
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        try:
            self._versions = read_versions(self._path, self._parameters)
        except ProfileError as error:
            PROFILE_READS.labels("invalid").inc()
            _LOG.error("profile_invalid", extra={"profile": str(self._path), "count": len(error.faults)})
        else:
            PROFILE_READS.labels("read").inc()
            _LOG.info("profile_read", extra={"profile": str(self._path), "count": len(self._versions)})


class Prepared(Generic[T]):
    """What is made of each version once, such as its rulebook, and made anew when the file changes."""

    def __init__(self, book: ProfileBook, make: Callable[[Profile], T]) -> None:
        self.book = book
        self._make = make
        self._made: dict[str, tuple[Profile, T]] = {}

    def of(self, profile: Profile) -> T:
        """Return what is made of one version of the book."""
        known, made = self._made.get(profile.version, (None, None))
        if known is not profile or made is None:
            made = self._make(profile)
            self._made[profile.version] = (profile, made)
        return made

    def current(self, now: datetime) -> T:
        """Return what is made of the version of a moment's local day."""
        return self.of(self.book.current(now))

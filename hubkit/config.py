"""Settings: one frozen class per deployable, read once from the environment under its own prefix."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

#: Where hubs' profiles are found by their ids.
PROFILES = Path("profiles")


class SettingsError(Exception):
    """The environment does not make valid settings; the message names every fault and no value."""


def default_profile() -> str:
    """Return the path of the profile of the hub that is meant where none is named: `profiles/default` holds its id.

    Raises
    ------
    SettingsError
        When there is no such file.
    """
    try:
        name = (PROFILES / "default").read_text(encoding="utf-8").strip()
    except OSError:
        raise SettingsError(f"no file {PROFILES / 'default'} that names a hub; name one") from None
    return str(PROFILES / f"{name}.yaml")


class Settings(BaseModel):
    """What every deployable is told: where it runs, its database, its broker, whom it trusts.

    A variable `INTAKE_DATABASE_URL` sets `database_url` of the class with the prefix `INTAKE_`, and
    `INTAKE_DATABASE_URL_FILE` names a file that holds the value (a mounted secret). A variable with the prefix that
    names no setting is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    PREFIX: ClassVar[str]

    environment: Literal["development", "production"] = Field(
        "production", description="production refuses unsafe settings"
    )
    database_url: str = Field(description="postgresql+asyncpg://… or sqlite+aiosqlite:///…")
    amqp_url: str | None = Field(None, description="RabbitMQ; absent only in the one-machine composition")
    profile: str = Field(default_factory=default_profile, description="path of the hub's profile")
    trusted_keys: str = Field(
        '{"keys":[]}', description="JWKS of the issuers of internal tokens this deployable believes"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    pool_size: int = Field(8, ge=2, le=100, description="database connections")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from the environment.

        Raises
        ------
        SettingsError
            When one is missing, wrong, unknown, or unsafe where it runs.
        """
        source = os.environ if environ is None else environ
        values: dict[str, str] = {}
        unknown: list[str] = []
        for key, value in source.items():
            if not key.startswith(cls.PREFIX):
                continue
            name = key.removeprefix(cls.PREFIX).lower()
            if name in cls.model_fields:
                values[name] = value
            elif name.endswith("_file") and name[:-5] in cls.model_fields:
                values[name[:-5]] = _content(key, value)
            else:
                unknown.append(key)
        if unknown:
            raise SettingsError(f"unknown settings: {', '.join(sorted(unknown))}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(
                f"{cls.PREFIX}{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()
            )
            raise SettingsError(faults) from None

    @classmethod
    def given(cls, name: str, environ: Mapping[str, str] | None = None) -> str | None:
        """Return one setting as the environment gives it, unchecked, or None: for who needs that one alone."""
        source = os.environ if environ is None else environ
        key = f"{cls.PREFIX}{name.upper()}"
        path = source.get(f"{key}_FILE")
        return source.get(key) if path is None else _content(f"{key}_FILE", path)

    @property
    def is_production(self) -> bool:
        """Whether unsafe settings must be refused."""
        return self.environment == "production"

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.is_production:
            faults = self.unsafe()
            if faults:
                raise ValueError("unsafe in production: " + "; ".join(faults))
        return self

    def unsafe(self) -> list[str]:
        """Return what must not stand in production, in words. A deployable adds its own.

        Development key material is marked by the word `development` in its key id (`kid`) or value.
        """
        faults = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name != "environment" and isinstance(value, str) and "development" in value:
                faults.append(f"{name} holds development material")
        return faults


def _content(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise SettingsError(f"{key} names a file that cannot be read") from None

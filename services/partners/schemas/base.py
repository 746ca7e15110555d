"""What all response bodies share."""

from pydantic import BaseModel, ConfigDict


class Answered(BaseModel):
    """Base of response bodies, read from rows and values of the actions."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

"""What can be wrong with a mapping, and with what it makes of an order."""

from typing import Any

from domain.delivery_failures import failure
from domain.messages import Message


class MappingError(Exception):
    """A mapping cannot be carried out for this order; `message` names the place, the cause and the fix."""

    def __init__(self, cause: str, /, **params: Any) -> None:
        self.message: Message = failure(cause, **params)
        super().__init__(self.message.text)


class MappingFaultsError(ValueError):
    """A mapping is written wrongly; `faults` has one line for each: place, cause, fix."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))

"""Why an order cannot be changed."""

from typing import Any

from domain.refusals import Refusal


class OrderRefusedError(Refusal):
    """An order cannot be changed like that.

    `status` is HTTP's (409 conflict, 422 bad value); `code` tells programs what to do about it.
    """

    def __init__(self, reason: str, /, *, status: int = 409, code: str = "", **params: Any) -> None:
        self.status = status
        self.code = code
        super().__init__(reason, **params)

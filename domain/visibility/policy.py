"""Which roles may see a caller's number, name, address and words in full. Pure.

docs/privacy.md has the table. Organisations, the matter of a call and agents' own names are never masked.
"""

from collections.abc import Mapping

from msgspec import Struct

from domain.visibility.masks import HIDDEN, mask_address, mask_digits, mask_name, mask_number

SCREEN = "screen"
"""The pseudo-role of the wallboard's big screen, which everybody in the room can see."""


class Visibility(Struct, frozen=True):
    """What somebody may see in full."""

    numbers: bool = True
    names: bool = True
    addresses: bool = True
    transcripts: bool = True
    """What was said, word for word; numbers in it are still masked if `numbers` is false."""

    @property
    def whole(self) -> bool:
        """Whether nothing is masked."""
        return self.numbers and self.names and self.addresses and self.transcripts

    def number(self, text: str) -> str:
        """Mask text that may contain telephone or identity numbers, unless they may be seen."""
        return text if self.numbers else mask_number(text)

    def digits(self, text: str) -> str:
        """Mask text that is a telephone number or part of one."""
        return text if self.numbers else mask_digits(text)

    def name(self, text: str) -> str:
        """Mask a person's name; names from the network may also be numbers."""
        return self.number(text if self.names else mask_name(text))

    def address(self, text: str) -> str:
        """Mask an address or location."""
        return self.number(text if self.addresses else mask_address(text))

    def spoken(self, text: str) -> str:
        """Mask what was said."""
        return self.number(text) if self.transcripts or not text else HIDDEN


WHOLE = Visibility()
NOTHING = Visibility(numbers=False, names=False, addresses=False, transcripts=False)
STRANGERS = NOTHING
"""How agents see callers who are not theirs, such as those waiting in a queue."""


class Privacy(Struct, frozen=True):
    """The configured visibility of each role."""

    roles: Mapping[str, Visibility] = {}
    """By role, including `SCREEN`."""

    def visibility(self, role: str) -> Visibility:
        """Return the visibility of that role; roles not configured see nothing in full."""
        return self.roles.get(role, NOTHING)


OPEN = Privacy(dict.fromkeys(("agent", "supervisor", "admin"), WHOLE))
"""The default if nothing is configured: staff see callers in full, the big screen does not."""

"""The rule: what each role may see whole of a caller's number, name, address and words. Pure.

docs/privacy.md has it as a table. Organisations, what a call is about and agents' own names are never masked.
"""

from collections.abc import Mapping

from msgspec import Struct

from domain.visibility.masks import HIDDEN, mask_address, mask_digits, mask_name, mask_number

SCREEN = "screen"
"""Whoever looks at the wall's big screen: everybody in the room."""


class Visibility(Struct, frozen=True):
    """What somebody may see whole."""

    numbers: bool = True
    names: bool = True
    addresses: bool = True
    transcripts: bool = True
    """What was said, word by word; numbers in it are masked all the same where `numbers` is false."""

    @property
    def whole(self) -> bool:
        """Whether nothing is masked."""
        return self.numbers and self.names and self.addresses and self.transcripts

    def number(self, text: str) -> str:
        """Text that may hold telephone or identity numbers."""
        return text if self.numbers else mask_number(text)

    def digits(self, text: str) -> str:
        """Text that is a telephone number, or a part of one."""
        return text if self.numbers else mask_digits(text)

    def name(self, text: str) -> str:
        """A person's name; as the network gives it, it may be a number too."""
        return self.number(text if self.names else mask_name(text))

    def address(self, text: str) -> str:
        """Where somebody lives, or where something is."""
        return self.number(text if self.addresses else mask_address(text))

    def spoken(self, text: str) -> str:
        """What was said."""
        return self.number(text) if self.transcripts or not text else HIDDEN


WHOLE = Visibility()
NOTHING = Visibility(numbers=False, names=False, addresses=False, transcripts=False)
STRANGERS = NOTHING
"""With which agents see callers who are not theirs: those who wait in the queue."""


class Privacy(Struct, frozen=True):
    """Whose visibility see what."""

    roles: Mapping[str, Visibility] = {}
    """By role, and `SCREEN`."""

    def visibility(self, role: str) -> Visibility:
        """The visibility of that role; of one that is not named, those that see nothing whole."""
        return self.roles.get(role, NOTHING)


OPEN = Privacy(dict.fromkeys(("agent", "supervisor", "admin"), WHOLE))
"""Where nothing is configured: who works here sees whole whom they work for, the big screen nobody."""

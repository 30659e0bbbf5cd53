"""Screen-pops: looks up what is known of a caller. What the pop then says is `agents.screen_pop.content`."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import phonenumbers
from phonenumbers import carrier, geocoder

from agents.accounts.identity import Role
from agents.screen_pop.content import EarlierCall, EarlierOrder, Known, PopRules, screen_pop
from domain.calls import Call, Direction
from domain.numbers import forms, national
from domain.screen_pop import Contact, PopEnterprise, ScreenPop
from domain.visibility.policy import Privacy

DAY_S = 86400.0
EARLIER = 20
"""Earlier calls looked at; only callers with as many are counted in the database."""


class Callers(Protocol):
    """Port: earlier calls and matters of a number (`gateway.storage.callers`)."""

    async def earlier(self, numbers: Sequence[str], but: str, limit: int = 20) -> list[EarlierCall]: ...

    async def count_since(self, numbers: Sequence[str], but: str, since: float) -> int: ...

    async def of_matters(self, numbers: Sequence[str], limit: int = 20) -> list[EarlierOrder]: ...


class ScreenPopService:
    """Looks up what is known of a caller."""

    def __init__(
        self,
        rules: PopRules,
        enterprises: Mapping[str, PopEnterprise],
        contacts: Mapping[str, Contact],
        callers: Callers,
        privacy: Privacy,
    ) -> None:
        """`enterprises`: by name and alias; `contacts`: by number, as `national` writes it."""
        self._rules = rules
        self._enterprises = enterprises
        self._contacts = contacts
        self._callers = callers
        self._privacy = privacy

    async def pop(self, call: Call, role: Role) -> ScreenPop:
        """What is known of that call's caller, as that role may see it."""
        known = await self._known(call) if call.direction is Direction.INBOUND else Known()
        return screen_pop(call, known, self._rules, self._privacy.visibility(role))

    async def _known(self, call: Call) -> Known:
        number = national(call.caller.number)
        if number is None:
            return Known()
        same = forms(call.caller.number)
        since = call.started_at - self._rules.repeat_days * DAY_S
        # A sixth of a millisecond: to have a thread do it takes longer.
        place, by = belongs(number)
        earlier = await self._callers.earlier(same, call.id, EARLIER)
        if len(earlier) < EARLIER:
            recent = sum(one.call.started_at >= since for one in earlier)
        else:
            recent = await self._callers.count_since(same, call.id, since)
        contact = self._contacts.get(number)
        return Known(
            place=place,
            carrier=by,
            contact=contact,
            enterprise=self._enterprise(contact, earlier),
            earlier=earlier,
            recent=recent,
            matters=await self._callers.of_matters(same, EARLIER),
        )

    def _enterprise(self, contact: Contact | None, earlier: Sequence[EarlierCall]) -> PopEnterprise | None:
        """The contact's own organisation, else the enterprise of the latest order that names a known one."""
        if contact is not None and (found := self._enterprises.get(contact.organisation)):
            return found
        named = (of.order.fields.get("enterprise") for one in earlier for of in one.orders)
        known = (self._enterprises.get(str(field.value)) for field in named if field is not None)
        return next((one for one in known if one is not None), None)


def load_places() -> None:
    """Load the tables of numbers' places, which takes the better part of a second: before somebody waits."""
    belongs("01012345678")
    belongs("13800138000")


@lru_cache(maxsize=4096)
def belongs(number: str) -> tuple[str, str]:
    """(place, carrier) of a number in Chinese; empty where they are not known. A carrier may be outdated by
    number porting.
    """
    try:
        parsed = phonenumbers.parse(number, "CN")
    except phonenumbers.NumberParseException:
        return "", ""
    if not phonenumbers.is_valid_number(parsed):
        return "", ""
    return geocoder.description_for_number(parsed, "zh"), carrier.name_for_number(parsed, "zh")

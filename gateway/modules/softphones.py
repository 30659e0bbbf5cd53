"""Browser phones."""

from collections.abc import Iterable

from fastapi import APIRouter

from gateway.asterisk.softphones import Softphones
from gateway.module import Module
from gateway.runtime import Runtime
from gateway.telephony import Telephony
from gateway.web.access import Access
from gateway.web.routes import softphone


class SoftphonesModule(Module):
    """Provides `Softphones`: who has a browser phone, and what it registers with."""

    name = "softphones"
    needs = (Telephony,)

    async def open(self, runtime: Runtime) -> None:
        """Passwords are read when they are asked for."""
        telephony = runtime.get(Telephony)
        self._softphones = Softphones(runtime.settings, telephony.pbxs, telephony.first)
        runtime.provide(self._softphones)

    def routes(self, access: Access) -> Iterable[APIRouter]:
        """`/softphone`."""
        return [softphone.router(access, self._softphones)]

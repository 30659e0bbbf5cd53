"""The IVR: FastAGI greets callers, takes their choice of line, and asks them how it was."""

from gateway.module import Module
from gateway.runtime import Runtime
from ivr import survey
from ivr.agi import FastAgiServer
from ivr.hotline import HotlineIvr


class IvrModule(Module):
    """Serves FastAGI."""

    name = "ivr"

    async def open(self, runtime: Runtime) -> None:
        """Listen for the PBXs."""
        settings = runtime.settings
        flow = HotlineIvr(tuple(line.model() for line in settings.lines))
        agi = FastAgiServer(settings.agi.host, settings.agi.port, flow, also={survey.ROUTE: survey.ask})
        server = await runtime.enter(agi)
        runtime.provide(server)
        runtime.agi_address = settings.agi.advertise or f"{settings.agi.host}:{server.port}"

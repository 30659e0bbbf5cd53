"""Restores hold and mute after a call recovery: the phone continues its call on a new channel."""

import structlog

from domain.calls import Call
from domain.pbx.errors import PbxError
from gateway.asterisk.link import PbxLink
from gateway.call_control.calling import hold_and_mute
from gateway.call_control.view import live

log = structlog.get_logger(__name__)


async def restore_hold_and_mute(link: PbxLink, call: Call) -> None:
    """Apply the recorded hold and mute of the agent's newest leg to its channel on the PBX."""
    legs = [leg for leg in live(call) if leg.agent is not None and leg.bridge is not None]
    for step in hold_and_mute(max(legs, key=lambda leg: leg.created_at)) if legs else ():
        try:
            await link.action(step.action, step.headers)
        except PbxError as error:
            log.warning("hold_not_carried_over", call=call.id, error=str(error))
            return

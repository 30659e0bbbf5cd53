"""A phone has taken its call back on a new channel: held or muted by command before, it is so again."""

import structlog

from domain.calls import Call
from domain.pbx.errors import PbxError
from gateway.asterisk.link import PbxLink
from gateway.call_control.calling import hold_and_mute
from gateway.call_control.view import live

log = structlog.get_logger(__name__)


async def restore_hold_and_mute(link: PbxLink, call: Call) -> None:
    """Tell the PBX what the picture says of the leg that came last."""
    legs = [leg for leg in live(call) if leg.agent is not None and leg.bridge is not None]
    for step in hold_and_mute(max(legs, key=lambda leg: leg.created_at)) if legs else ():
        try:
            await link.action(step.action, step.headers)
        except PbxError as error:
            log.warning("hold_not_carried_over", call=call.id, error=str(error))
            return

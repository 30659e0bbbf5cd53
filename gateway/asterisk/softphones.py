"""Which agents have a browser phone, and the credentials it registers with."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from domain.phones import PhoneKind
from domain.softphones import IceServer, Softphone, SoftphoneUnavailableError, ice_servers
from gateway.asterisk.sip_passwords import own_password, read_passwords
from gateway.settings import AgentSettings, PbxSettings, Settings


class Softphones:
    """Implements `SoftphonePort`. Passwords are read on demand, so that a new file takes effect at once."""

    def __init__(self, settings: Settings, pbxs: Mapping[str, PbxSettings], first: str) -> None:
        """`pbxs` are the PBXs in use, by name; `first` is the one of agents that name none."""
        self._pbxs = pbxs
        self._first = first
        self._everybody = {agent.id: agent for agent in settings.agents}
        self._agents = {agent.id: agent for agent in settings.agents if agent.softphone}

    def kinds(self, agent_id: str | None) -> tuple[PhoneKind, ...]:
        """Return the kinds of phone the agent has."""
        agent = self._everybody.get(agent_id or "")
        return tuple(agent.phones) if agent else ()

    async def of(self, agent_id: str | None) -> Softphone | None:
        """Return what the agent's browser registers with; see `SoftphonePort`."""
        agent = self._agents.get(agent_id or "")
        if agent is None or (url := self._url(agent)) is None:
            return None
        pbx = self._pbxs[agent.pbx or self._first]
        user = agent.sip_user or ""
        servers = await asyncio.to_thread(_ice_servers, agent, pbx)
        return Softphone(
            username=user,
            password=await asyncio.to_thread(_password, agent, pbx, user),
            domain=pbx.softphone.domain or urlsplit(url).hostname or "",
            websocket=url,
            display_name=agent.name,
            ice_servers=servers,
            ice_lasts_s=pbx.softphone.turn_ttl_s if any(one.credential for one in servers) else None,
        )

    def _url(self, agent: AgentSettings) -> str | None:
        pbx = self._pbxs.get(agent.pbx or self._first)
        return pbx.softphone.url if pbx else None


def _password(agent: AgentSettings, pbx: PbxSettings, user: str) -> str:
    try:
        password = own_password(agent)
        if password is None and pbx.phones_file is not None:
            password = read_passwords(pbx.phones_file).get(user)
    except ValueError as error:
        raise SoftphoneUnavailableError(str(error)) from None
    if password is None:
        raise SoftphoneUnavailableError(
            f"no SIP password for {agent.phone}: add it to phones_file of PBX {pbx.name},"
            f" or set {agent.secret_variable}"
        )
    return password


def _ice_servers(agent: AgentSettings, pbx: PbxSettings) -> tuple[IceServer, ...]:
    try:
        secret = pbx.read_turn_secret() if pbx.softphone.uses_turn else None
    except ValueError as error:
        raise SoftphoneUnavailableError(str(error)) from None
    return ice_servers(pbx.softphone.ice_servers, secret, agent.id, time.time() + pbx.softphone.turn_ttl_s)


def websocket_urls(pbxs: Mapping[str, PbxSettings]) -> list[str]:
    """Return the URLs browser phones connect to, which the page's content security policy must allow."""
    return sorted({pbx.softphone.url for pbx in pbxs.values() if pbx.softphone.url})

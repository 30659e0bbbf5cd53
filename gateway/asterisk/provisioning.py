"""Renders Asterisk's configuration from the gateway's own settings, so that nothing is configured twice.

The templates in `deploy/asterisk/` each state their purpose. Rendering is pure; `write` does the I/O.
"""

import math
import os
import re
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from domain.phones import DESK_CHOSEN, PhoneKind, choice_device
from gateway.asterisk.actions import media_connection
from gateway.settings import AgentSettings, PbxSettings, Settings

MARKER = "Rendered by `hotline deploy asterisk` from hotline.toml: change it there."
SECRET_FILES = frozenset({"manager.conf", "pjsip.conf"})


WRAP_UP_BRIDGE_S = 5
"""Maximum seconds Asterisk itself holds back calls after one, until the gateway's pause takes effect."""


class ProvisionError(Exception):
    """The files cannot be rendered or written; the message names the fix."""


@dataclass(frozen=True)
class ProvisionOptions:
    """Paths and ports. The defaults suit a Debian package on a dedicated host."""

    ami_secret: str
    etc_dir: str = "/etc/asterisk"
    var_dir: str = "/var/lib/asterisk"
    data_dir: str = "/usr/share/asterisk"
    modules_dir: str = ""
    moh_dir: str = "/usr/share/asterisk/moh"
    recordings_prefix: str = "/var/spool/asterisk/monitor/hotline"
    bind: str = "0.0.0.0"  # noqa: S104 - a PBX listens for phones
    ami_port: int = 5038
    ami_permit: tuple[str, ...] = ("127.0.0.1/32",)
    sip_port: int = 5060
    http_port: int = 8088
    rtp_start: int = 10000
    rtp_end: int = 20000
    agi: str = "127.0.0.1:4573"
    agi_peers: tuple[str, ...] = ()
    """HOST:PORT of the FastAGI servers of the gateways that serve in turn."""
    audiosocket: str = "127.0.0.1:4574"
    mediasocket: str = ""
    """HOST:PORT for live audio over chan_websocket; empty means AudioSocket."""
    mediasocket_peers: tuple[str, ...] = ()
    """HOST:PORT of the gateways that serve in turn."""
    trunk_addresses: tuple[str, ...] = ("192.0.2.1",)
    """Addresses the carrier's calls come from."""
    phone_passwords: dict[str, str] = field(default_factory=dict)
    """SIP user → password, for each phone `PJSIP/<user>`."""
    demo: bool = False


def plain(text: str) -> str:
    """Make text safe for a comment or a quoted caller ID by removing characters special to Asterisk."""
    return re.sub(r'[;"\\<>\[\]$\x00-\x1f\x7f]', " ", text).strip()


def render(settings: Settings, pbx: PbxSettings, options: ProvisionOptions) -> dict[str, str]:
    """Render the files for that PBX: file name → text.

    Raises:
        ProvisionError: a secret is malformed, or an agent's SIP phone has no password.
    """
    for secret in (options.ami_secret, *options.phone_passwords.values()):
        if not re.fullmatch(r"[!-:<-~]{8,128}", secret):
            raise ProvisionError("a PBX secret must be 8 to 128 visible ASCII characters without ';'")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - not HTML; every value is validated or `plain`
    )
    context = _context(settings, pbx, options)
    return {
        name.removesuffix(".j2"): environment.get_template(name).render(context) for name in sorted(_names())
    }


def _names() -> list[str]:
    return [entry.name for entry in _folder().iterdir() if entry.name.endswith(".conf.j2")]


def _folder() -> Any:
    return resources.files("deploy").joinpath("asterisk")


def _template(name: str) -> str:
    text: str = _folder().joinpath(name).read_text(encoding="utf-8")
    return text


def _context(settings: Settings, pbx: PbxSettings, options: ProvisionOptions) -> dict[str, Any]:
    first = settings.pbx[0].name if settings.pbx else pbx.name
    agents = [agent for agent in settings.agents if (agent.pbx or first) == pbx.name]
    phones = []
    for agent in agents:
        for kind, user in agent.sip_users.items():
            password = options.phone_passwords.get(user)
            if password is None:
                raise ProvisionError(f"agent {agent.id}: no SIP password for PJSIP/{user}; give one")
            phones.append(
                {
                    "user": user,
                    "password": password,
                    "webrtc": kind is PhoneKind.BROWSER,
                    "comment": plain(agent.name),
                    "callerid": f'"{plain(agent.name)}" <{agent.id}>',
                }
            )
    lines = [
        {
            "id": line.id,
            "queue": line.queue,
            "numbers": line.numbers,
            "targets": sorted({line.id, *line.numbers}),
            "comment": plain(line.name),
            "service_level": round(line.service_level_s),
            "queue_timeout": line.queue_timeout_s,
            "ring_timeout": line.ring_timeout_s,
            "priority": line.priority,
            "survey": line.survey,
            "wrap_up": min(WRAP_UP_BRIDGE_S, math.ceil(line.wrap_up_s)),
            "overflow": line.overflow_steps,
            "members": [
                {
                    "id": agent.id,
                    "interface": agent.phone,
                    "penalty": agent.lines[line.id],
                    "state_interface": state_interface(agent.id, agent.phone),
                }
                for agent in agents
                # Agents with two phones are members with the chosen one, which the gateway adds.
                if line.id in agent.lines and agent.desk_phone is None
            ],
        }
        for line in settings.lines
    ]
    return {
        "marker": MARKER,
        "o": options,
        "pbx": pbx,
        "softphone": pbx.softphone,
        "media": _media_connections(options),
        "lines": lines,
        "agents": [{"id": agent.id, "rung": _rung(agent)} for agent in agents],
        "phones": phones,
        "outbound": _outbound(settings),
        "static_members": settings.desk.login == "always",
        "dynamic_members": settings.desk.login == "desk" or any(agent.desk_phone for agent in agents),
    }


def _media_connections(options: ProvisionOptions) -> dict[str, str]:
    """Connection → HOST:PORT."""
    addresses = [options.mediasocket, *options.mediasocket_peers] if options.mediasocket else []
    return {media_connection(one, shared=len(addresses) > 1): one for one in addresses}


def _rung(agent: AgentSettings) -> str:
    """Return what Dial rings for the agent; with two phones, an expression that looks up the chosen one."""
    if agent.desk_phone is None:
        return agent.phone
    chosen = f'$["${{DEVICE_STATE({choice_device(agent.id)})}}" = "{DESK_CHOSEN}"]'
    return f"${{IF({chosen}?{agent.desk_phone}:{agent.phone})}}"


def _outbound(settings: Settings) -> dict[str, Any]:
    rules = settings.outbound.allow
    numbers = [number for line in settings.lines for number in line.numbers]
    return {
        "trunk": settings.outbound.trunk,
        "contact": settings.outbound.contact,
        "caller_id": numbers[0] if numbers else "",
        "everyone": sorted({p for rule in rules if rule.model().for_everyone for p in rule.patterns}),
        "some": sorted({p for rule in rules if not rule.model().for_everyone for p in rule.patterns}),
    }


def state_interface(agent_id: str, phone: str) -> str:
    """Return the device whose state tells if the phone is free; demo agents' Local channels have none."""
    return f"Custom:demo-{agent_id}" if phone.startswith("Local/") else phone


def write(files: dict[str, str], directory: Path, *, force: bool = False) -> list[Path]:
    """Write the files atomically; those with secrets are readable by the owner only.

    Raises:
        ProvisionError: the directory has a file that was not rendered by us, and `force` is not set.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if not force:
        foreign = [
            name
            for name in files
            if (directory / name).exists() and MARKER not in (directory / name).read_text(errors="replace")
        ]
        if foreign:
            raise ProvisionError(
                f"{directory} holds files not rendered from hotline.toml ({', '.join(sorted(foreign))}):"
                " choose another directory, or --force to replace them"
            )
    written = []
    for name, text in files.items():
        path = directory / name
        partial = directory / f".{name}.partial"
        mode = 0o600 if name in SECRET_FILES else 0o644
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        partial.replace(path)
        written.append(path)
    return written

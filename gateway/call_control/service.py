"""Carrying out commands: once for each id, planned on the picture, told to the PBX, audited."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog
from msgspec import structs

from agents.accounts.identity import Identity, Permission
from domain.audit import MAX_ARGS, AuditEntry, Claim
from domain.commands import (
    COMMAND_ID,
    Answered,
    AnyCommand,
    CommandError,
    Originate,
    Target,
    read_command,
    refused,
)
from domain.pbx.errors import ActionRefused, ActionTimeout, ConnectionLost
from domain.refusals import refusal
from gateway.asterisk.protocol import HeaderValue, Response
from gateway.call_control.phone_choice import follow
from gateway.call_control.plan import plan
from gateway.call_control.view import Actor, Ami, Plan, Rules, Step, View
from gateway.tasks import tell_failure

log = structlog.get_logger(__name__)

NOT_DYNAMIC = "Member not dynamic"
TRIES = 2
SETTLES_S, LOOK_S = 1.5, 0.05
"""How long what was done may take to show in the picture, and how often it is looked at."""

CallerOf = Callable[[Identity, str], Awaitable[str | None]]
"""The number to dial for who called on a call (its id); `None`: there is none, or not for that person."""


class CommandStore(Protocol):
    """Port: ids and the audit."""

    async def claim(self, command_id: str, username: str, digest: str) -> Claim | None:
        """Take the id: `None`; or who had it first."""
        ...

    async def finish(self, answer: Answered, entry: AuditEntry) -> None:
        """Keep the answer and append to the audit, both or neither."""
        ...

    async def note(self, entry: AuditEntry) -> None:
        """Append to the audit only."""
        ...


class Pbx(Protocol):
    """Port: one PBX's actions (`PbxLink`)."""

    async def action(
        self, name: str, headers: Mapping[str, HeaderValue] | None = None, *, timeout: float | None = None
    ) -> Response:
        """Raises as `PbxLink.action` does."""
        ...


class CommandService:
    """Answers commands of signed-in people; implements the ports of web and stream."""

    def __init__(
        self,
        store: CommandStore,
        rules: Rules,
        look: Callable[[], View],
        pbxs: Mapping[str, Pbx],
        wrap_up: Callable[[str, str, int | None], None],
        caller_of: CallerOf | None = None,
    ) -> None:
        """`look()` is the picture now; `wrap_up(pbx, agent, seconds)` ends (`None`) or extends a wrap-up and
        raises CommandError where there is none; `caller_of` finds whom `back_to` means."""
        self._store = store
        self.rules = rules
        self._look = look
        self._pbxs = pbxs
        self._wrap_up = wrap_up
        self._caller_of = caller_of
        self._running: dict[str, asyncio.Future[Answered]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def command(self, who: Identity, command_id: str, name: str, args: Any) -> Answered:
        """Do it once and answer; asked again with the same id, the first answer.

        Never raises: what goes wrong is in the answer (`code`, `message`).
        """
        if not re.fullmatch(COMMAND_ID, command_id):
            return refused(ascii(command_id[:40])[1:-1], "bad_args", refusal("command_id"))
        try:
            text = json.dumps(args, sort_keys=True)
            digest = hashlib.sha256(json.dumps([name, text]).encode()).hexdigest()
            running = self._running.get(command_id)
            if (claim := await self._store.claim(command_id, who.username, digest)) is not None:
                return await self._again(who, command_id, digest, claim, running)
            # It outlives the asker's connection: half a command is worse than one whose answer is not read.
            future = asyncio.ensure_future(self._once(who, command_id, name, args, text))
            self._running[command_id] = future
            future.add_done_callback(tell_failure)
            future.add_done_callback(lambda _: self._running.pop(command_id, None))
            return await asyncio.shield(future)
        except Exception:
            log.exception("command_failed", id=command_id, user=who.username)
            return refused(command_id, "failed", refusal("internal"))

    async def follow_phone(self, agent: str) -> None:
        """Let the agent's memberships be by the phone they chose; failed, again at the next connection."""
        try:
            async with self._locks.setdefault(agent[:64], asyncio.Lock()):
                view = self._look()
                if (config := view.agent_config(agent)) is not None:
                    await self._carry_out(Plan(config.pbx, follow(view, config)))
        except CommandError as error:
            log.warning("phone_not_followed", agent=agent, reason=error.message.text)

    async def _again(
        self,
        who: Identity,
        command_id: str,
        digest: str,
        claim: Claim,
        running: asyncio.Future[Answered] | None,
    ) -> Answered:
        if claim.username != who.username or claim.digest != digest:
            return refused(command_id, "id_reused", refusal("id_reused"))
        if claim.answer is not None:
            return claim.answer
        running = running or self._running.get(command_id)
        if running is not None:
            return await asyncio.shield(running)
        return refused(command_id, "interrupted", refusal("begun_not_finished"))

    async def _once(self, who: Identity, command_id: str, name: str, args: Any, text: str) -> Answered:
        actor = Actor(who.username, str(who.role), who.agent_id, who.may(Permission.COMMAND_ALL))
        about = str(args.get("agent") or who.agent_id) if isinstance(args, dict) else ""
        try:
            async with self._locks.setdefault(about[:64], asyncio.Lock()):
                planned = await self._planned(who, actor, read_command(name, args), command_id)
                await self._carry_out(planned)
            answer = Answered(id=command_id, ok=True, result=dict(planned.result))
        except CommandError as error:
            answer = refused(command_id, error.code, error.message)
        except Exception:
            log.exception("command_failed", id=command_id, user=who.username, name=name[:40])
            answer = refused(command_id, "failed", refusal("internal"))
        entry = AuditEntry(
            at=time.time(),
            username=actor.username,
            role=actor.role,
            agent=actor.agent,
            command_id=command_id,
            name=json.dumps(name[:36], ensure_ascii=True)[1:-1][:40],
            args=text[:MAX_ARGS],
            ok=answer.ok,
            code=answer.code,
            reason=answer.reason,
            params=json.dumps(answer.params),
            message=answer.message,
        )
        log.info("command", id=command_id, user=actor.username, name=entry.name, ok=entry.ok, code=entry.code)
        await self._store.finish(answer, entry)
        return answer

    async def _planned(self, who: Identity, actor: Actor, command: AnyCommand, command_id: str) -> Plan:
        if not isinstance(command, Originate) or command.back_to is None:
            return plan(self._look(), actor, command, command_id)
        number = await self._caller_of(who, command.back_to) if self._caller_of else None
        if number is None:
            raise CommandError("not_possible", "caller_unknown", call=command.back_to)
        meant = structs.replace(command, to=Target(number=number), back_to=None)
        try:
            return plan(self._look(), actor, meant, command_id)
        except CommandError as error:
            if error.message.code == "number_forbidden":
                # Its sentence tells the number, which not everybody may see.
                raise CommandError(error.code, "caller_forbidden") from None
            raise

    async def _carry_out(self, planned: Plan) -> None:
        for _ in range(TRIES):
            await self._do(planned)
            if planned.settled is None or await self._settled(planned.settled):
                return
        raise CommandError("not_possible", "consulting_goes_on")

    async def _settled(self, settled: Callable[[View], bool]) -> bool:
        until = time.monotonic() + SETTLES_S
        while not settled(self._look()):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _do(self, planned: Plan) -> None:
        for step in planned.steps:
            try:
                await self._step(planned.pbx, step)
            except ActionRefused as error:
                if NOT_DYNAMIC in str(error):
                    raise CommandError("not_possible", "agents_static") from error
                raise CommandError("pbx_refused", "pbx_refused", text=str(error)) from error
            except ActionTimeout as error:
                raise CommandError("pbx_timeout", "pbx_timeout", text=str(error)) from error
            except ConnectionLost as error:
                raise CommandError("pbx_down", "pbx_down", text=str(error)) from error

    async def _step(self, pbx: str, step: Step) -> None:
        match step:
            case Ami():
                try:
                    await self._pbxs[pbx].action(step.action, step.headers)
                except ActionRefused as error:
                    if not any(text in str(error) for text in step.tolerates):
                        raise
            case _:
                self._wrap_up(pbx, step.agent, step.seconds)

"""Why a request is refused: every possible reason, by code.

The browser app translates them into Chinese (`web/src/i18n/zh/refused.ts`); its English is generated from
these sentences by `make stream-types`. Codes keep their meaning; new ones may be added.
"""

from typing import Any

from domain.messages import Message, say

COMMANDS = {
    "account_without_agent": (
        "your account is not linked to an agent: name one in `agent`, or link the account to an agent"
    ),
    "agent_not_on_pbx": "no agent {agent} on PBX {pbx}",
    "agent_unknown": "no agent {agent}; agents are configured in hotline.toml",
    "agents_static": (
        'agents here are in their queues by configuration; set login = "desk" under [desk] and redeploy'
        " the PBX configuration, or pause instead"
    ),
    "args_no_object": "args must be an object with the command's own arguments",
    "bad_args": "{name}: {text}",
    "begun_not_finished": (
        "started but never finished (the gateway stopped meanwhile): check what happened, then send it again"
        " with a new id"
    ),
    "call_not_waiting": "call {call} is not waiting in a queue",
    "call_on_other_pbx": "call {call} is on PBX {pbx}, but agent {agent} is on {own}",
    "caller_forbidden": "you may not call this caller back; outbound.allow says who may dial which numbers",
    "caller_unknown": "call {call} has no number to call back, or is not yours",
    "calls_unclear": "agent {agent} has {count} calls: choose one with call_id",
    "command_id": "id must be a lower-case UUID, a new one for each command",
    "command_unknown": "no such command; known commands: {commands}",
    "commands_none": "commands are not available here",
    "consult_digits_only": (
        "this PBX's Asterisk can only consult numeric extensions, not {exten}: use transfer,"
        " or upgrade to Asterisk {version} or newer"
    ),
    "consult_of_two": "a consultation can only start from a two-party conversation",
    "consulting": "a consultation is in progress: use complete_transfer or cancel_transfer",
    "consulting_already": "a consultation is already in progress",
    "consulting_join": "a consultation is in progress: use conference without `to` to join it",
    "consulting_goes_on": "the PBX did not end the consultation; try again, or hang up",
    "consulting_nobody": "agent {agent} is not consulting anybody; start with consult",
    "held": "the call is on hold; resume it first",
    "held_already": "the call is already on hold",
    "id_reused": "this id was already used for another command; generate a new one",
    "line_not_served": "agent {agent} does not serve line {line}",
    "line_unknown": "no line {line}",
    "lines_none": "agent {agent} does not serve any line; add lines in agents.lines",
    "lines_not_served": "agent {agent} does not serve {lines}; lines are configured in agents.lines",
    "no_call": "agent {agent} has no call at the moment",
    "no_call_to_hang_up": "agent {agent} has no call to hang up",
    "nobody_to_hold": "there is nobody to put on hold",
    "nobody_to_join": "there is no conversation to join",
    "nobody_to_transfer": "there is nobody to transfer",
    "not_held": "the call is not on hold",
    "not_in_wrap_up": "agent {agent} is not in wrap-up",
    "not_listening": "agent {agent} is not listening to anybody",
    "not_logged_in": "agent {agent} is not in any queue; log in first",
    "not_on_that_call": "agent {agent} is not on call {call}",
    "not_own": "agents may only control their own calls and state",
    "not_ringing": "the phone of agent {agent} is not ringing",
    "not_supervisor": "only supervisors may do that",
    "not_talking": "agent {agent} is not talking to anybody at the moment",
    "number_forbidden": "you may not dial {number}; outbound.allow says who may dial which numbers",
    "on_call": "agent {agent} is on a call; end it first",
    "own_seat": "supervisors cannot supervise their own calls",
    "pause_reason": "{reason} is not a configured pause reason; choose from {reasons}",
    "pause_reason_reserved": "{reason} is reserved for the gateway; choose one of desk.pause_reasons",
    "pbx_down": "no link to the PBX: {text}",
    "pbx_refused": "the PBX refused: {text}",
    "pbx_timeout": "the PBX did not answer: {text}; check what happened before trying again",
    "phone_by_hand": "{phone} is not a PJSIP phone; answer on the phone itself",
    "phone_none": "agent {agent} has no {phone} phone; phones are configured in [[agents]]",
    "phone_unregistered": "the phone {phone} of agent {agent} is not registered",
    "queue_not_served": "agent {agent} does not serve {queue}",
    "queue_unknown": "no line or queue {queue}",
    "supervised_on_other_pbx": "agent {target} is on PBX {pbx}, but agent {agent} is on {own}",
    "take_over_of_two": "only a two-party conversation on the supervisor's own PBX can be taken over",
    "target_busy": "agent {agent} is {state}; choose another, or the line's queue",
    "target_self": "the target is the same agent; choose another",
    "unplanned": "{command} is not supported",
}
ACCOUNTS = {
    "account_name": (
        "username {username}: use 1 to 64 letters, digits, '.', '_', '-' or '@',"
        " starting with a letter or digit"
    ),
    "account_own": "you cannot lock yourself out; ask another administrator",
    "account_taken": "account {username} already exists; choose another name",
    "account_unknown": "no account {username}; create it first",
    "login_throttled": "too many attempts; try again in {seconds} s",
    "login_wrong": "wrong user name or password, or the account is disabled",
    "password_length": "a password must have {least} to {most} characters; this one has {length}",
}
TOKENS = {
    "token_door": "API tokens do not open this: it is for people who are signed in",
    "token_expiry": "a token must expire in the future, or never",
    "token_lines": "no line {lines}; lines are {known}",
    "token_scope": "this token lacks the scope {scope}; an administrator can make one that has it",
    "token_scopes": "give the token at least one scope, of {scopes}",
    "token_text": "{what} of a token: one line of at most {most} characters, without spaces at its ends",
    "token_throttled": "this token asks too often; try again in {seconds} s",
    "token_unknown": "no token {token} that could be revoked",
    "token_wrong": "this API token is not known, has expired or was revoked",
}
ORDERS = {
    "field_choice": "{field}: must be one of {choices}",
    "field_code": "{field}: must be 18 characters, the last a check digit (GB 32100); check for typos",
    "field_list": "{field}: must be a list of short texts",
    "field_text": "{field}: must be text of at most {most} characters",
    "field_unknown": "form {form} has no field {field}; its fields are {fields}",
    "field_yes_no": "{field}: must be true or false",
    "fields_unknown": "the form has no field {fields}",
    "order_dropped": "order {order} was never sent: no call can add to it",
    "order_withdrawn": "the order was withdrawn",
    "outcome_detail": "outcome {outcome} has no {detail}; leave it out",
    "outcome_order": "name the order that the call adds to",
    "outcome_reason": "outcome {outcome} needs a reason, one of {reasons}",
    "outcome_text": "{detail}: at most {most} characters",
    "outcome_unknown": "no outcome {outcome}; choose from {outcomes}",
    "order_dead": "delivery of this order was given up; retry the delivery instead",
    "order_begins": "the matter cannot begin before the last one, which begins at {begins} s of the call",
    "order_many": "a call has at most {most} orders",
    "order_none": "the call has no order: only a call of the public that was answered has",
    "order_number": "the call's next order is number {next}, not {number}; load the call again",
    "order_itself": "an order cannot be a duplicate of itself",
    "order_not_sent": "the order has not left yet: change it as it is",
    "order_overtaken": "changed at another desk meanwhile: {fields}; check the values, then save again",
    "order_stale": "the order is at revision {revision}, not {asked}: load it again",
    "order_submitted": "the order has been submitted; it can no longer be changed here",
    "order_unknown": "no order {order}",
}
STATUS = {
    "sender_unknown": (
        "not a message of this work-order system: sign it according to Standard Webhooks with the endpoint's"
        " secret, and send it within five minutes"
    ),
    "status_id_reused": "this webhook-id was used for another message; give each message its own",
    "status_no_json": "send a JSON object",
    "status_no_order": "name the order: `order` (ours) or `external_id` (yours)",
    "status_order_unknown": "no order {order}",
    "status_replayed": "this message was received before; sign it anew to tell it again",
    "status_time": "{place}: {value} is no time; write RFC 3339, or POSIX seconds",
    "status_yes_or_no": "{place}: {value} is neither yes nor no; write true or false",
    "status_unknown": "no step is called {status}: add it to words of [workorders.inbound]",
}
HTTP = {
    "app_file_unknown": "no such file",
    "app_not_built": (
        "the browser app has not been built: run `make web` in the source tree (released wheels include it);"
        " the API under /api/v1 works without it"
    ),
    "bad_request": "{text}",
    "clip_none": "there is no audio for that part of the call",
    "clip_span": "to must be after from, by at most {most} seconds",
    "digits_hidden": "your role sees masked numbers: search for the last four digits, or the whole number",
    "csrf": "send the session's csrf value as {header}",
    "figure_unknown": "no such figure of these: {figure}; GET /api/v1/reports names them",
    "report_days": "from and to: two days between 1990 and 2199 like 2026-01-31, from no later than to",
    "report_two_dimensions": (
        "figures are kept by one of agent, unit, place, category and source at a time, each by line and time:"
        " leave one out"
    ),
    "cursor": "before: send the `next` value of an earlier response unchanged",
    "database_busy": (
        "the database does not answer at the moment: try again in a few seconds with the same request;"
        " nothing is done twice"
    ),
    "export_cursor": "cursor: send the X-Next-Cursor of an earlier answer of the same export unchanged",
    "exports_running": "{count} exports are already running; wait for one to finish, then try again",
    "intake_key_reused": "this Idempotency-Key was used for another matter; give each its own",
    "internal": "internal error; see the gateway's log",
    "link_expired": "this link has expired; the order's next revision brings a new one",
    "link_unknown": "no such link: it was not made here, or was altered",
    "not_found": "no such {what}, or it is not yours",
    "not_json": "send application/json",
    "not_signed_in": "not signed in; POST /api/v1/session first",
    "origin": "origin not allowed; add it to http.allowed_origins",
    "permission": "your role lacks {permission}; ask a supervisor",
    "recording_gone": "the recording's file is no longer in the archive",
    "resource_unknown": "no such resource",
    "softphone_none": "you have no browser phone; enable it with softphone = true in [[agents]]",
    "softphone_unavailable": "your browser phone is not set up; the gateway's log says how to fix it",
    "target_too_long": "path and query together have at most {most} bytes",
    "text_unstorable": "{place}: NUL, half a surrogate pair or bytes that are no UTF-8; leave it out",
    "words_hidden": "your role may not read transcripts: leave out q",
    "too_large": "send at most {most} bytes, with Content-Length",
}
REFUSALS = {**COMMANDS, **ACCOUNTS, **TOKENS, **ORDERS, **STATUS, **HTTP}


def refusal(reason: str, /, **params: Any) -> Message:
    """Return the message for a refusal. Parameters are plain values."""
    return say(REFUSALS, reason, params)


class Refusal(Exception):  # noqa: N818 - a refusal is not an error of the gateway
    """A request was refused; base class of the specific refusals."""

    def __init__(self, reason: str, /, **params: Any) -> None:
        self.message = refusal(reason, **params)
        super().__init__(self.message.text)

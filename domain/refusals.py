"""Why something asked for is not done: every reason there is, by code.

The browser app has them in Chinese (`web/src/i18n/zh/refused.ts`); its English is these very sentences, taken
over by `make stream-types`. A code stays what it means; new ones may come.
"""

from typing import Any

from domain.messages import Message, say

COMMANDS = {
    "account_without_agent": (
        "your account is no agent's: name one in `agent`, or give the account an agent"
    ),
    "agent_not_on_pbx": "no agent {agent} on PBX {pbx}",
    "agent_unknown": "no agent {agent}; agents are configured in hotline.toml",
    "agents_static": (
        'here agents are in their queues by configuration; set login = "desk" under [desk] and deploy its'
        " configuration again, or pause instead"
    ),
    "args_no_object": "args is an object of the command's own arguments",
    "bad_args": "{name}: {text}",
    "begun_not_finished": (
        "begun but never finished (the gateway stopped meanwhile): look, then ask with a new id"
    ),
    "call_not_waiting": "call {call} is not waiting in a queue",
    "call_on_other_pbx": "call {call} is on PBX {pbx}, agent {agent} on {own}",
    "caller_forbidden": "whoever called may not be called back by you; outbound.allow says which numbers may",
    "caller_unknown": "call {call} has no number that could be called back, or is not yours",
    "calls_unclear": "agent {agent} has {count} calls: say which by call_id",
    "command_id": "id must be a UUID in lower case, a new one for each command",
    "command_unknown": "no such command; known: {commands}",
    "commands_none": "no commands here",
    "consult_digits_only": (
        "this PBX's Asterisk can consult digits only, not {exten}: use transfer,"
        " or Asterisk {version} or newer"
    ),
    "consult_of_two": "only a conversation of two can be consulted about",
    "consulting": "a consultation is going on: complete_transfer or cancel_transfer",
    "consulting_already": "a consultation is going on already",
    "consulting_join": "a consultation is going on: conference without `to` joins it",
    "consulting_goes_on": "the PBX did not end the consultation; try again, or hang up",
    "consulting_nobody": "agent {agent} is consulting nobody; begin with consult",
    "held": "the call is on hold; resume it first",
    "held_already": "the call is on hold already",
    "id_reused": "this id was used for another command; make a new one",
    "line_not_served": "agent {agent} does not serve line {line}",
    "line_unknown": "no line {line}",
    "lines_none": "agent {agent} serves no line; give some in agents.lines",
    "lines_not_served": "agent {agent} does not serve {lines}; lines are given in agents.lines",
    "no_call": "agent {agent} has no call now",
    "no_call_to_hang_up": "agent {agent} has no call to hang up",
    "nobody_to_hold": "there is nobody to put on hold",
    "nobody_to_join": "there is no conversation to join",
    "nobody_to_transfer": "there is nobody to transfer",
    "not_held": "the call is not on hold",
    "not_in_wrap_up": "agent {agent} is not in wrap-up",
    "not_listening": "agent {agent} is not listening to anybody",
    "not_logged_in": "agent {agent} is in no queue; log in first",
    "not_on_that_call": "agent {agent} has no part in call {call}",
    "not_own": "an agent may command only their own calls and state",
    "not_ringing": "the phone of agent {agent} does not ring",
    "not_supervisor": "only supervisors may do that",
    "not_talking": "agent {agent} has no conversation now",
    "number_forbidden": "{number} may not be dialled by you; outbound.allow says which numbers may",
    "on_call": "agent {agent} is on a call; end it first",
    "own_seat": "that is the supervisor's own seat",
    "pause_reason": "{reason} is no reason for a pause here; choose from {reasons}",
    "pause_reason_reserved": "{reason}: the gateway's own reason; choose one of desk.pause_reasons",
    "pbx_down": "no link to the PBX: {text}",
    "pbx_refused": "the PBX refused: {text}",
    "pbx_timeout": "the PBX did not answer: {text}; look before asking again",
    "phone_by_hand": "{phone} is no PJSIP phone; answer it by hand",
    "phone_none": "agent {agent} has no {phone} phone; phones are given in [[agents]]",
    "phone_unregistered": "the phone {phone} of agent {agent} is not registered",
    "queue_not_served": "agent {agent} does not serve {queue}",
    "queue_unknown": "no line or queue {queue}",
    "supervised_on_other_pbx": "agent {target} is on PBX {pbx}, agent {agent} on {own}",
    "take_over_of_two": "only a conversation of two on the supervisor's own PBX can be taken over",
    "target_busy": "agent {agent} is {state}; choose another, or the line's queue",
    "target_self": "that is the agent who asks",
    "unplanned": "{command} has no plan",
}
ACCOUNTS = {
    "account_name": (
        "username {username}: use 1 to 64 letters, digits, '.', '_', '-' or '@',"
        " beginning with a letter or digit"
    ),
    "account_own": "one cannot lock oneself out; ask another administrator",
    "account_taken": "there is an account {username} already; choose another name",
    "account_unknown": "no account {username}; create it first",
    "login_throttled": "too many attempts; try again in {seconds} s",
    "login_wrong": "name or password is wrong, or the account is disabled",
    "password_length": "a password has {least} to {most} characters; this one has {length}",
}
ORDERS = {
    "field_choice": "{field}: one of {choices} is wanted",
    "field_code": "{field}: 18 characters are wanted, the last a check digit (GB 32100); look again",
    "field_list": "{field}: a list of short texts is wanted",
    "field_text": "{field}: a text of at most {most} characters is wanted",
    "field_unknown": "form {form} has no field {field}; it has {fields}",
    "field_yes_no": "{field}: true or false is wanted",
    "fields_unknown": "the form has no field {fields}",
    "order_dead": "its delivery was given up; retry the delivery instead",
    "order_itself": "an order cannot repeat itself",
    "order_overtaken": "typed otherwise at another desk meanwhile: {fields}; look, then save again",
    "order_stale": "the order is at revision {revision}, not {asked}: read it again",
    "order_submitted": "the order has been submitted; it can no longer be changed here",
    "order_unknown": "no order {order}",
}
HTTP = {
    "app_file_unknown": "no such file",
    "app_not_built": (
        "the browser app was not built: run `make web` in the source tree (a released wheel brings it along);"
        " the API under /api/v1 works without it"
    ),
    "bad_request": "{text}",
    "clip_none": "there is no audio of that time of the call",
    "clip_span": "to must be after from, by at most {most} seconds",
    "digits_hidden": "your role sees numbers masked: search for the last four digits, or the whole number",
    "csrf": "send the session's csrf value as {header}",
    "cursor": "before: send the `next` of an earlier answer as it was",
    "exports_running": "{count} exports are running; wait for one to end, then ask again",
    "internal": "internal error; the gateway's log says more",
    "not_found": "no such {what}, or it is not yours",
    "not_json": "send application/json",
    "not_signed_in": "not signed in; POST /api/v1/session first",
    "origin": "origin not allowed; add it to http.allowed_origins",
    "permission": "your role lacks {permission}; ask a supervisor",
    "recording_gone": "the recording's file is not in the archive any more",
    "resource_unknown": "no such resource",
    "softphone_none": "you have no browser phone; it is switched on by softphone = true in [[agents]]",
    "softphone_unavailable": "your browser phone is not set up; the gateway's log says how to fix it",
    "target_too_long": "path and query together have at most {most} bytes",
    "text_unstorable": "{place}: NUL, half a surrogate pair or bytes that are no UTF-8; leave it out",
    "words_hidden": "your role does not read what was said: leave out q",
    "too_large": "send at most {most} bytes, with Content-Length",
}
REFUSALS = {**COMMANDS, **ACCOUNTS, **ORDERS, **HTTP}


def refusal(reason: str, /, **params: Any) -> Message:
    """Why something is refused. Parameters are plain values."""
    return say(REFUSALS, reason, params)


class Refusal(Exception):  # noqa: N818 - what is refused is no fault of the gateway's
    """Something is refused; the base of those that say what."""

    def __init__(self, reason: str, /, **params: Any) -> None:
        self.message = refusal(reason, **params)
        super().__init__(self.message.text)

"""One finding of the doctor, and all the sentences it may use.

The browser app has them in Chinese (`web/src/i18n/zh/doctor.ts`); its English is generated from this module
by `make stream-types`.
"""

from typing import Any

from msgspec import Struct

from domain.messages import Message, say

WHAT = {
    "database": "database",
    "disk": "disk",
    "doctor": "doctor",
    "endpoint": "work orders to {endpoint}",
    "endpoints": "work orders",
    "model": "speech model",
    "pbx": "PBX",
    "pbx_audio": "PBX {pbx}: live audio",
    "pbx_clock": "PBX {pbx}: clock",
    "pbx_login": "PBX {pbx}: login",
    "pbx_privilege": "PBX {pbx}: privilege {privilege}",
    "pbx_queue": "PBX {pbx}: queue {queue}",
    "pbx_queue_log": "PBX {pbx}: queue log",
    "pbx_recordings": "PBX {pbx}: recordings",
}
DETAIL = {
    "agents_missing": "agents not logged in: {agents}",
    "agents_there": "{count} agents",
    "asterisk": "Asterisk {version} as {username}",
    "audio_beside": "tone heard at {address} (a running gateway holds {held})",
    "audio_heard": "the test tone arrived at {address}",
    "audio_none": "nothing arrived at {address}",
    "audio_port": "cannot listen at {address}: {text}",
    "audio_short": "the stream was too short",
    "audio_share": "{percent}% of the received audio is the test tone",
    "clock_skew": "differs from ours by {seconds} s",
    "database_new": "{url}: created at first start",
    "database_trouble": "{url}: {text}",
    "disk_free": "{gib} GiB free at {path}",
    "endpoint_answers": "{host} answers (HTTP {status})",
    "endpoint_silent": "no answer in {seconds} s",
    "endpoints_none": "no endpoint configured: orders are kept here",
    "granted": "granted",
    "model_at": "{model} at {url}",
    "model_fetched": "{model}: downloaded from the hub at first start",
    "model_missing": "{path} contains no model.bin",
    "model_off": "speech recognition is switched off",
    "out_of_time": "no further result within {seconds} s after: {after}",
    "pbx_none": "none configured: `hotline run` starts its own",
    "pbx_silent": "no answer from {address}",
    "queue_missing": "the queue of line {line} does not exist there",
    "queue_log_none": "not configured: calls of an outage are known from their recordings alone",
    "unreadable": "{path} cannot be read here",
    "unwritable": "{path} cannot be written",
    "words": "{text}",
}
FIX = {
    "ask_pbx_log": "look at the PBX's log",
    "audio_address": "set audiosocket.host and audiosocket.port to an address of this machine",
    "audio_load": "check the PBX's codecs and its load",
    "audio_originate": "check the originate privilege, and load chan_local",
    "audio_reach": (
        "can the PBX reach {address} (audiosocket.advertise, firewall)? Are app_audiosocket and app_milliwatt"
        " loaded, and is [{context}] in its dialplan?"
    ),
    "database_upgrade": "if it is running, run `hotline db upgrade`",
    "disk_free_some": "free some space, or move data_dir",
    "disk_writable": "make it writable for this user",
    "endpoint_secret": "set secret_file to a file (mode 0600) that contains the secret",
    "endpoint_way": "check the URL, the certificate and the network",
    "login_settings": (
        "check the user, secret and permit lines in the PBX's manager.conf against the gateway's settings"
    ),
    "model_make": "run `make model`, or set asr.model",
    "model_secret": "see asr.secret_file",
    "ntp": "run NTP on both machines",
    "pbx_running": ("is Asterisk running, and AMI enabled and permitted for this address in manager.conf?"),
    "privilege": "add {privilege} to write= of the user in manager.conf",
    "queue_log_set": "set queue_log to Asterisk's, as this machine sees it, and let the gateway read it",
    "queue_render": "`hotline deploy asterisk DIR` renders it; reload app_queue on {pbx}",
    "recordings_mount": "mount the PBX's {prefix} there and set recordings_dir",
    "see_log": "see the log",
}
FINDINGS = {"what": WHAT, "detail": DETAIL, "fix": FIX}


class Finding(Struct, frozen=True):
    """The result of one check. `fix` is what to do if not `ok`; `warning`: it works, but not well."""

    what: Message
    ok: bool
    detail: Message
    fix: Message | None = None
    warning: bool = False


def what(code: str, /, **params: Any) -> Message:
    """What was checked."""
    return say(WHAT, code, params)


def detail(code: str, /, **params: Any) -> Message:
    """The state it is in. `words` quotes the system, a library or the PBX."""
    return say(DETAIL, code, params)


def fix(code: str, /, **params: Any) -> Message:
    """What to do."""
    return say(FIX, code, params)

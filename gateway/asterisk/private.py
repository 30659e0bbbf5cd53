"""A private Asterisk on free loopback ports, for `make run`, tests and experiments.

It is either an Asterisk installed on this machine or (as root) the one that `make asterisk` bootstrapped into
`.cache/asterisk`. The latter runs in a chroot inside its own mount namespace, so that nothing stays mounted
even after a crash. Everything an instance writes is in its own directory.
"""

import asyncio
import ctypes
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import structlog

from gateway.asterisk.ports import spare_block, spare_tcp, spare_udp
from gateway.asterisk.provisioning import ProvisionOptions, render, write
from gateway.asterisk.sip_passwords import new_password, write_passwords
from gateway.settings import PbxSettings, Settings, SoftphoneSettings

log = structlog.get_logger(__name__)

BOOTSTRAPPED = Path(".cache/asterisk")
STAMP = "etc/hotline-bootstrap-complete"
INSIDE = "/run/hotline"
START_S = 30.0
RTP_PORTS = 200


class PrivateAsteriskError(Exception):
    """Asterisk cannot be started; the message names the cause and the fix."""


def find_asterisk(root: Path | None = None) -> Path | None:
    """Find an Asterisk to run: `Path("/")` if installed, the root of a bootstrapped one, or `None`."""
    candidate = (root or BOOTSTRAPPED).absolute()
    if (candidate / STAMP).is_file() and os.geteuid() == 0 and shutil.which("unshare"):
        return candidate
    if shutil.which("asterisk") or Path("/usr/sbin/asterisk").exists():
        return Path("/")
    return None


class PrivateAsterisk:
    """One instance, as an async context manager. `pbx` has the settings to reach it, `options` its ports."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        *,
        agi: str,
        audiosocket: str,
        mediasocket: str = "",
        agi_peers: tuple[str, ...] = (),
        demo: bool = False,
        root: Path | None = None,
        prefix: Sequence[str] = (),
        provide: Callable[[Path], None] | None = None,
    ) -> None:
        """`directory` belongs to the instance; `provide(sounds)` may add sound files before the start.

        `prefix`: a command to start Asterisk by, such as `nice`.
        """
        self._settings = settings
        self.directory = directory.absolute()
        self._root = find_asterisk(root)
        self._provide = provide
        self._prefix = tuple(prefix)
        self._process: asyncio.subprocess.Process | None = None
        inside = str(self.directory) if self._root == Path("/") else INSIDE
        rtp = spare_block(RTP_PORTS)
        self.options = ProvisionOptions(
            ami_secret=secrets.token_urlsafe(24),
            etc_dir=f"{inside}/etc",
            var_dir=f"{inside}/var",
            data_dir=f"{inside}/data",
            moh_dir=f"{inside}/data/moh",
            recordings_prefix=f"{inside}/recordings",
            bind="127.0.0.1",
            ami_port=spare_tcp(),
            sip_port=spare_udp(),
            http_port=spare_tcp(),
            rtp_start=rtp,
            rtp_end=rtp + RTP_PORTS - 1,
            agi=agi,
            agi_peers=agi_peers,
            audiosocket=audiosocket,
            mediasocket=mediasocket,
            trunk_addresses=("127.0.0.2",),
            phone_passwords={
                user: new_password() for agent in settings.agents for user in agent.sip_users.values()
            },
            demo=demo,
        )
        secret_file = self.directory / "ami.secret"
        base = settings.pbx[0] if settings.pbx else PbxSettings(name="main")
        self.pbx = base.model_copy(
            update={
                "host": "127.0.0.1",
                "port": self.options.ami_port,
                "secret": None,
                "secret_file": secret_file,
                "recordings_prefix": self.options.recordings_prefix,
                "recordings_dir": self.directory / "recordings",
                "queue_log": self.directory / "var/log/queue_log",
                "phones_file": self.directory / "phones.secret",
                "softphone": self._softphone(base.softphone),
            }
        )

    def _softphone(self, wanted: SoftphoneSettings) -> SoftphoneSettings:
        """Settings for its websocket, with TLS if a certificate is configured."""
        port = spare_tcp()
        ways = {True: f"wss://127.0.0.1:{port}/ws", False: f"ws://127.0.0.1:{self.options.http_port}/ws"}
        return wanted.model_copy(update={"url": ways[wanted.certificate is not None], "port": port})

    @property
    def sounds(self) -> Path:
        """Directory for prompts, as a path on this machine."""
        return self.directory / "data" / "sounds"

    async def __aenter__(self) -> Self:
        if self._root is None:
            raise PrivateAsteriskError(
                "no Asterisk to run: install one (apt-get install asterisk), or run `make asterisk` as root"
            )
        self._prepare()
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _prepare(self) -> None:
        for name in ("etc", "var/lib/keys", "var/spool", "var/run", "var/log", "var/agi-bin", "recordings"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        waiting = self.directory / "data" / "moh" / "silence.alaw"
        waiting.parent.mkdir(parents=True, exist_ok=True)
        waiting.write_bytes(b"\xd5" * 8000 * 10)
        self.sounds.mkdir(parents=True, exist_ok=True)
        secret_file = self.directory / "ami.secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(self.options.ami_secret)
        write_passwords(self.directory / "phones.secret", self.options.phone_passwords)
        assert self._root is not None
        if self._root != Path("/"):
            # Lets Asterisk resolve the host name without a name server, which may take seconds to answer.
            _put(self._root / "etc" / "hosts", f"127.0.0.1 localhost {socket.gethostname()}\n")
        # Asterisk looks for its own XML documentation below its data directory.
        share = self._root / "usr/share/asterisk"
        for name in ("documentation", "rest-api"):
            link = self.directory / "data" / name
            if not link.exists() and not link.is_symlink():
                link.symlink_to(f"/usr/share/asterisk/{name}" if self._root != Path("/") else share / name)
        if self._provide is not None:
            self._provide(self.sounds)
        write(render(self._settings, self.pbx, replace(self.options)), self.directory / "etc", force=True)

    async def _start(self) -> None:
        config = f"{self.options.etc_dir}/asterisk.conf"
        if self._root == Path("/"):
            command = [shutil.which("asterisk") or "/usr/sbin/asterisk", "-f", "-C", config]
        else:
            # In a mount namespace of its own, the mounts vanish with the process.
            script = (
                'set -e; mkdir -p "$1$2" "$1/proc" "$1/dev"; mount --bind "$3" "$1$2";'
                ' mount --rbind /dev "$1/dev"; mount -t proc proc "$1/proc" || mount --rbind /proc "$1/proc";'
                ' exec chroot "$1" /usr/sbin/asterisk -f -C "$4"'
            )
            command = [
                "unshare", "--mount", "--propagation", "private",
                "sh", "-c", script, "sh", str(self._root), INSIDE, str(self.directory), config,
            ]  # fmt: skip
        output = (self.directory / "asterisk.out").open("wb")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._prefix,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        finally:
            output.close()
        try:
            await asyncio.wait_for(self._wait_for_ami(), START_S)
        except TimeoutError:
            await self.stop()
            raise PrivateAsteriskError(f"Asterisk did not answer in {START_S:.0f} s: {self.tail()}") from None
        log.info(
            "asterisk_started", ami=self.options.ami_port, sip=self.options.sip_port, dir=str(self.directory)
        )

    async def _wait_for_ami(self) -> None:
        assert self._process is not None
        while True:
            if self._process.returncode is not None:
                raise PrivateAsteriskError(f"Asterisk ended at once: {self.tail()}")
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.options.ami_port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            banner = await reader.readline()
            writer.close()
            if banner.startswith(b"Asterisk Call Manager"):
                await self._wait_until_booted()
                return

    async def _wait_until_booted(self) -> None:
        """Wait for the dialplan and the queues, which are loaded after AMI starts answering."""
        # The command itself waits; it only fails while the console is not available yet.
        for _ in range(100):
            if (await self.cli("core waitfullybooted")).strip().endswith("fully booted."):
                return
            await asyncio.sleep(0.1)

    def tail(self) -> str:
        """Return the last lines of Asterisk's output and log, for error messages."""
        texts = []
        for path in (self.directory / "asterisk.out", self.directory / "var/log/messages.log"):
            if path.exists():
                texts += path.read_text(errors="replace").splitlines()[-8:]
        return " | ".join(text for text in texts if text.strip()) or "it said nothing"

    async def cli(self, command: str) -> str:
        """Run one console command and return its output."""
        config = f"{self.options.etc_dir}/asterisk.conf"
        if self._root == Path("/"):
            line = [shutil.which("asterisk") or "/usr/sbin/asterisk", "-C", config, "-rx", command]
        else:
            assert self._process is not None
            inside = ["nsenter", "--mount", "--target", str(self._process.pid), "chroot", str(self._root)]
            line = [*inside, "/usr/sbin/asterisk", "-C", config, "-rx", command]
        process = await asyncio.create_subprocess_exec(
            *line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return output.decode(errors="replace")

    async def stop(self) -> None:
        """Stop Asterisk; kill it if it does not stop within five seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()

    def kill(self) -> None:
        """Kill Asterisk (SIGKILL), which looks like a crash from outside."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def _put(path: Path, text: str) -> None:
    """Whole or not at all: another instance that starts now reads the same file."""
    if not path.exists() or path.read_text() != text:
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(text)
        new.replace(path)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

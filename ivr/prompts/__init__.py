"""The shipped prompts (8 kHz A-law) and their installation into a PBX's sounds directory."""

import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent


def texts() -> dict[str, str]:
    """Return the prompts' texts: prompt id → text."""
    prompts: dict[str, str] = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))["prompts"]
    return prompts


def files() -> dict[str, Path]:
    """Return the prompts' audio files: prompt id → path. Every id in `texts` has one."""
    return {name: HERE / f"{name}.alaw" for name in texts()}


def install(directory: Path, *, language: str = "", replace: bool = False) -> list[Path]:
    """Copy the prompts to `<directory>[/<language>]/hotline/<id>.alaw` and return the files written.

    Unless `replace` is set, a prompt that already exists in any format is left alone, since it may be a
    recording of the operator's own and Asterisk might choose the shipped file over it.

    Raises:
        OSError: the directory cannot be written.
    """
    target = directory / language / "hotline"
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, source in files().items():
        if not replace and any(target.glob(f"{name}.*")):
            continue
        written.append(Path(shutil.copyfile(source, target / source.name)))
    return written

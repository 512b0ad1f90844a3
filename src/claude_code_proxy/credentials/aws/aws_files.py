"""The files of AWS's command line: `~/.aws/config` and `~/.aws/credentials`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from claude_code_proxy.credentials.key_file import file_stamp
from claude_code_proxy.credentials.source import CredentialError


class AwsFiles:
    """The profiles of both files; `credentials` counts before `config` for keys."""

    def __init__(self, env: Mapping[str, str]) -> None:
        home = env.get("HOME") or str(Path.home())
        self._paths = [
            Path(env.get(variable) or Path(home, ".aws", name)).expanduser()
            for variable, name in (
                ("AWS_CONFIG_FILE", "config"),
                ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            )
        ]

    def profile(self, name: str) -> dict[str, str] | None:
        """What both files say of the profile; None where neither has it. Raises `CredentialError`."""
        config, credentials = map(_sections, self._paths)
        section = "default" if name == "default" else f"profile {name}"
        found = [part for part in (config.get(section), credentials.get(name)) if part is not None]
        return {key: value for part in found for key, value in part.items()} if found else None

    def stamp(self) -> object:
        """Something that differs from before once one of the files has changed."""
        return tuple(map(file_stamp, self._paths))


def _sections(path: Path) -> dict[str, dict[str, str]]:
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(default_section="", strict=False)  # "default" is a profile like the others
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CredentialError(f"{path}: {error.strerror or error}") from None
    except (Error, UnicodeDecodeError):  # their words quote the file
        raise CredentialError(f"{path} cannot be read as a file of AWS", "aws configure") from None
    return {" ".join(name.split()): dict(parser[name]) for name in parser.sections()}

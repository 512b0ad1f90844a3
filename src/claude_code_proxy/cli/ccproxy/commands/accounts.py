"""`ccproxy login`, `logout` and `accounts`: logins that stand for keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command, UsageError
from claude_code_proxy.config.cc_proxy_json.offered_models import entries_of, offered_file
from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.credentials.account import Account, Login
from claude_code_proxy.credentials.issuer_http import ask
from claude_code_proxy.credentials.logins import LOGINS, make_login
from claude_code_proxy.credentials.source import CredentialError
from claude_code_proxy.credentials.stored_file import write_object


def log_in(command: Command) -> int:
    """Log in, or find the login that is there; says whose it is and what the vendor's terms are.

    Raises `UsageError`.
    """
    plain, options = command.take(valued=("--client-id",))
    name, login = _named(command, plain)
    output.note(f"{name}: {login.TERMS}")
    try:
        login.log_in(options, output.note)
        print(_told(name, login.account()))
        _keep_models(name, login, command.env)
    except CredentialError as error:
        output.error(error.told)
        return output.FAILURE
    if not _is_used(name, command.path):
        output.note(f"next: ccproxy add {login.MODELS}")
    return output.OK


def log_out(command: Command) -> int:
    """Forget a login, or say whose it is to end it. Raises `UsageError`."""
    plain, _ = command.take()
    name, login = _named(command, plain)
    offered_file(command.env, name).unlink(missing_ok=True)
    print(f"{name}: {login.log_out()}")
    return output.OK


def list_accounts(command: Command) -> int:
    """Print every login: who, until when, from where. Raises `UsageError`."""
    plain, options = command.take(("--json",))
    if plain:
        raise UsageError(f"accounts takes --json only, not {' '.join(plain)}")
    rows: list[dict[str, Any]] = []
    for name in LOGINS:
        row: dict[str, Any] = {"name": name, "used": _is_used(name, command.path)}
        try:
            found = make_login(name, command.env).account()
        except CredentialError as error:
            rows.append(row | {"problem": str(error), "fix": error.hint})
            continue
        until = None if found.expires_at is None else _moment(found.expires_at)
        rows.append(
            row
            | {"who": found.who, "until": until, "renews": found.renews}
            | {"place": found.place, "told": found.told}
        )
    if options:
        output.document({"version": 1, "accounts": rows})
        return output.OK
    table = [("", "LOGIN", "WHO", "UNTIL", "FROM")]
    for row in rows:
        mark = "*" if row["used"] else ""
        if "problem" in row:
            table.append((mark, row["name"], "-", "-", f"{row['problem']}; {row['fix']}".strip("; ")))
            continue
        until = row["until"] or "-"
        told = f"{row['place']}; {row['told']}" if row["told"] else row["place"]
        table.append((mark, row["name"], row["who"] or "-", f"{until}{_renewal(row)}", told))
    output.table(table)
    return output.OK


def _renewal(row: Mapping[str, Any]) -> str:
    return ", renewed" if row["renews"] and row["until"] else ""


def _named(command: Command, plain: Sequence[str]) -> tuple[str, Login]:
    if len(plain) != 1:
        raise UsageError(f"{command.name} takes one name: {', '.join(LOGINS)}")
    try:
        return plain[0], make_login(plain[0], command.env)
    except CredentialError as error:
        raise UsageError(f"{command.name}: {plain[0]}: {error.hint or error}") from None


def _told(name: str, account: Account) -> str:
    who = f"{name}: {account.who or 'logged in'}, by {account.place}"
    until = f", until {_moment(account.expires_at)}" if account.expires_at is not None else ""
    renewed = " and renewed" if until and account.renews else ""
    return f"{who}{until}{renewed}" + (f" ({account.told})" if account.told else "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is_used(name: str, path: Path) -> bool:
    """Whether a provider of the file uses this login."""
    try:
        providers = load_providers(path) if path.exists() else []
    except ConfigError:
        return False
    return any((provider.key.kind, provider.key.value) == ("login", name) for provider in providers)


def _keep_models(name: str, login: Login, env: Mapping[str, str]) -> None:
    """Write down which model speaks which format, where the provider tells. Raises `CredentialError`."""
    preset = PRESETS[login.MODELS]
    if preset.native is None or preset.profile is None:
        return  # there is nothing to choose
    credential = login.fetch()
    base = credential.base_url or preset.api_base
    headers = {"Authorization": f"Bearer {credential.token}", **credential.headers}
    reply = ask(f"{base.rstrip('/')}/models", headers=headers, issuer=preset.title)
    rows = reply.body.get("data")
    if reply.status == 401:
        raise CredentialError(f"{preset.title} refuses the token of this login", f"ccproxy login {name}")
    offered = entries_of(rows)
    if offered:
        write_object(offered_file(env, name), {"data": rows})
        output.note(f"{len(offered)} models: ccproxy models {login.MODELS}")

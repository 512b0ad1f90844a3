"""The login of OpenAI's Codex CLI with a ChatGPT subscription: its own file, renewed under its rules.

Facts are from codex-rs/login of openai/codex and what other programs report: the file `auth.json` has no lock
and is rewritten in place; refresh tokens serve once; a refresh answers only what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from .account import Account, claims
from .issuer_http import Reply, ask
from .key_file import file_stamp
from .renewing import LEAD
from .source import Credential, CredentialError, checked
from .stored_file import locked, read_object, write_object

_CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
"""The client that the tokens of the file were issued to, and can be renewed for."""
_ENDED = ("refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated")
_UNKNOWN_LIFE = 8 * 86_400.0
"""Seconds after which Codex renews a token that does not say when it ends."""
_NO_TIME = 1e12
"""Unix seconds that nobody means."""
_OPENAI = "https://api.openai.com/auth"
_RUN = "codex login"


class CodexLogin:
    """`$CODEX_HOME/auth.json`. A session stays with the account that it began with."""

    TERMS = (
        "OpenAI tolerates other programs with a ChatGPT login, and promises nothing; for automation it "
        "advises API keys. An account may not be shared."
    )
    MODELS = "codex"

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        issuer: str = "https://auth.openai.com",
        clock: Callable[[], float] = time.time,
        seconds: float = 15.0,
    ) -> None:
        home = env.get("CODEX_HOME") or Path(env.get("HOME") or Path.home(), ".codex")
        self._path = Path(home, "auth.json")
        self._issuer = issuer
        self._clock = clock
        self._seconds = seconds
        self._account = ""
        self._ended: tuple[str, CredentialError] | None = None
        """The refresh token that is known to be dead, and how that was said."""

    def stamp(self) -> object:
        """What `stat` says of the file."""
        return file_stamp(self._path)

    def fetch(self, refused: Credential | None = None) -> Credential:
        """The stored token, renewed where it is about to end or was refused. Raises `CredentialError`."""
        stored = self._good(self._read(), refused)
        if stored is not None:
            return stored
        with locked(self._path):
            state = self._read()
            stored = self._good(state, refused)  # another session may have renewed it
            return stored or self._renewed(state)

    def account(self) -> Account:
        """Who is logged in, from the file alone. Raises `CredentialError`."""
        state = self._read()
        tokens = state["tokens"]
        of_user = claims(str(tokens.get("id_token") or ""))
        plan = _claim(tokens, "chatgpt_plan_type")
        return Account(
            who=str(of_user.get("email") or _account_of(tokens)),
            place=str(self._path),
            expires_at=self._end(state),
            renews=bool(tokens.get("refresh_token")),
            told=f"plan {plan}" if plan else "",
        )

    def log_in(self, options: Mapping[str, str], tell: Callable[[str], None]) -> None:  # noqa: ARG002
        """Check that Codex is logged in: its own command does it. Raises `CredentialError`."""
        self._read()

    def log_out(self) -> str:
        """Nothing of it is stored here."""
        return "the login is Codex's own; to end it: codex logout"

    def _read(self) -> dict[str, Any]:
        """The file, which has tokens of the account of this session. Raises `CredentialError`."""
        state = read_object(self._path)
        if state is None:
            hint = f'{_RUN} (with cli_auth_credentials_store = "file" in its config.toml)'
            raise CredentialError(f"Codex is not logged in: there is no {self._path}", hint)
        tokens = state.get("tokens")
        if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
            if state.get("OPENAI_API_KEY"):
                what = "Codex is logged in with an API key, not with ChatGPT"
                hint = f'{_RUN}, or use the provider openai with "auth_key": "env:OPENAI_API_KEY"'
                raise CredentialError(what, hint)
            raise CredentialError(f"{self._path} has no login with ChatGPT", _RUN)
        account = _account_of(tokens)
        if self._account and account != self._account:
            what = "Codex is logged in with another account than when this session began"
            raise CredentialError(what, "start the session again")
        self._account = account
        return state

    def _good(self, state: dict[str, Any], refused: Credential | None) -> Credential | None:
        """What is stored, unless it is about to end or was refused."""
        token = state["tokens"]["access_token"]
        if refused is not None and refused.token == token:
            return None
        end = self._end(state)
        return self._credential(state) if end is None or end - self._clock() > LEAD else None

    def _credential(self, state: dict[str, Any]) -> Credential:
        tokens = state["tokens"]
        headers = {"chatgpt-account-id": account} if (account := _account_of(tokens)) else {}
        return Credential(checked(tokens["access_token"]), self._end(state), headers)

    def _end(self, state: dict[str, Any]) -> float | None:
        """Until when the stored token is good, by the clock of this machine."""
        said = claims(state["tokens"]["access_token"])
        renewed = _seconds_of(state.get("last_refresh"))
        exp, iat = said.get("exp"), said.get("iat")
        if _is_time(exp):
            # The issuer's clock may be another one; how long a token lives is the same by both.
            if _is_time(iat) and renewed is not None and renewed <= self._clock() + LEAD:
                return renewed + (exp - iat)
            return float(exp)
        return None if renewed is None else renewed + _UNKNOWN_LIFE

    def _renewed(self, state: dict[str, Any]) -> Credential:
        """Ask for new tokens and store them; the lock is held."""
        old = state["tokens"]
        refresh = old.get("refresh_token")
        if not isinstance(refresh, str) or not refresh:
            raise CredentialError("the login of Codex cannot be renewed: it has no refresh token", _RUN)
        if self._ended is not None and self._ended[0] == refresh:
            raise CredentialError(str(self._ended[1]), self._ended[1].hint)
        body = {"client_id": _CLIENT, "grant_type": "refresh_token", "refresh_token": refresh}
        reply = ask(
            f"{self._issuer}/oauth/token", as_json=body, seconds=self._seconds, issuer="OpenAI's login"
        )
        if reply.status != 200:
            return self._not_renewed(reply, old)
        got = {
            name: text for name in ("id_token", "access_token", "refresh_token") if (text := reply.text(name))
        }
        if "access_token" not in got:
            raise CredentialError("OpenAI's login answered without a token", _RUN, transient=True)
        new = {**old, **got}
        if self._account and _account_of({**got}) not in ("", self._account):
            raise CredentialError("OpenAI's login answered for another account", _RUN)
        now = self._read()  # raises where the user logged in with another account meanwhile
        if now["tokens"] != old:  # Codex itself has renewed them: what it wrote counts
            return self._credential(now)
        stamp = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")
        now = {**now, "tokens": new, "last_refresh": stamp.replace("+00:00", "Z")}
        write_object(self._path, now)
        return self._credential(now)

    def _not_renewed(self, reply: Reply, old: dict[str, Any]) -> Credential:
        """What a refused renewal means. Raises `CredentialError` but where somebody else has renewed it."""
        code = reply.text("error", "code") or reply.text("error") or reply.text("code")
        if reply.status != 401 and code not in _ENDED:
            what = f"OpenAI's login answered {reply.status} to a renewal"
            raise CredentialError(what, "try again later", transient=True)
        now = self._read()
        if now["tokens"] != old:  # used by a Codex that has written its new tokens by now
            return self._credential(now)
        error = CredentialError(f"the login of Codex has ended ({code or reply.status})", _RUN)
        self._ended = (old["refresh_token"], error)
        raise error


def _account_of(tokens: Mapping[str, Any]) -> str:
    """The account that the tokens are for; "" where none of them says."""
    if isinstance(tokens.get("account_id"), str) and tokens["account_id"]:
        return str(tokens["account_id"])
    if found := _claim(tokens, "chatgpt_account_id"):
        return found
    for name in ("id_token", "access_token"):
        said = claims(str(tokens.get(name) or ""))
        organizations = said.get("organizations")
        if isinstance(said.get("chatgpt_account_id"), str):
            return str(said["chatgpt_account_id"])
        if isinstance(organizations, list) and organizations and isinstance(organizations[0], dict):
            return str(organizations[0].get("id") or "")
    return ""


def _claim(tokens: Mapping[str, Any], name: str) -> str:
    """OpenAI's own claim `name` of the tokens."""
    for token in ("id_token", "access_token"):
        said = claims(str(tokens.get(token) or "")).get(_OPENAI)
        if isinstance(said, dict) and isinstance(said.get(name), str):
            return str(said[name])
    return ""


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and abs(value) < _NO_TIME


def _seconds_of(text: object) -> float | None:
    """Unix seconds of an RFC 3339 time; Codex writes nine digits of a second."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

"""Renewal: before a credential expires, once after a refusal, and never twice at the same time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from .source import Credential, CredentialError, Fetcher

LEAD = 300.0
"""Seconds before its end in which a credential is renewed beside the requests that still use it."""
_SHARE = 0.2
"""The lead of one that lives shorter than 25 minutes: this share of its life."""
_LEAST = 0.1
"""The share of the lead in which requests wait for the new one."""
PAUSE = 10.0
"""Seconds between two renewals, whatever is refused and whatever fails."""
LONGEST = 90.0
"""Seconds that a request waits: an issuer that sends a byte now and then meets no limit of a socket."""


class Renewing:
    """The credentials of one fetcher, for any number of requests of one event loop."""

    def __init__(
        self,
        fetcher: Fetcher,
        first: Credential | None = None,
        *,
        clock: Callable[[], float] = time.time,
        pause: float = PAUSE,
        longest: float = LONGEST,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._pause = pause
        self._longest = longest
        self._held: Credential | None = None
        self._fetched_at = self._renewed_at = -math.inf  # of time.monotonic, as the one below
        self._failed: CredentialError | None = None
        self._failed_at = 0.0
        self._lead = LEAD
        self._stamp: object = None
        self._task: asyncio.Task[Credential] | None = None
        if first is not None:
            self._hold(first)
            self._fetched_at = -math.inf  # it may be older than this process

    async def current(self) -> Credential:
        """The credential to use now. Raises `CredentialError`."""
        held = self._held
        if held is None or self._stamp != self._fetcher.stamp():
            return await self._fetch(None, anew=held is not None)
        left = math.inf if held.expires_at is None else held.expires_at - self._clock()
        # The clock of the issuer may be another one: what was just issued is used, whatever ours says.
        if left > self._lead or time.monotonic() - self._fetched_at < self._pause:
            return held
        if left > self._lead * _LEAST:
            self._begin(None)
            return held
        return await self._fetch(None)

    async def renew(self) -> Credential:
        """The credential after the last one was refused; the same again where there is none newer.

        Raises `CredentialError`.
        """
        if self._held is not None and time.monotonic() - self._renewed_at < self._pause:
            return self._held  # of several requests that were refused together, the first has renewed it
        return await self._fetch(self._held)

    async def _fetch(self, refused: Credential | None, *, anew: bool = False) -> Credential:
        if not anew and self._failed is not None and time.monotonic() - self._failed_at < self._pause:
            failed = self._failed
            if refused is None and self._is_usable():
                assert self._held is not None
                return self._held
            raise CredentialError(str(failed), failed.hint, transient=failed.transient)
        try:
            # The request may be given up; what the issuer answers must be kept all the same.
            async with asyncio.timeout(self._longest):
                return await asyncio.shield(self._begin(refused))
        except (CredentialError, TimeoutError) as error:
            if refused is None and self._is_usable():
                assert self._held is not None
                return self._held
            if isinstance(error, CredentialError):
                raise
            words = f"the issuer of the token did not answer within {self._longest:g} s"
            raise CredentialError(words, transient=True) from None

    def _is_usable(self) -> bool:
        """Whether what is held has not expired."""
        held = self._held
        return held is not None and (held.expires_at is None or held.expires_at > self._clock())

    def _begin(self, refused: Credential | None) -> asyncio.Task[Credential]:
        """The one renewal: the one that runs, else a new one."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._renewed(refused))
            self._task.add_done_callback(_look_at)
        return self._task

    async def _renewed(self, refused: Credential | None) -> Credential:
        stamp = self._fetcher.stamp()
        try:
            credential = await asyncio.to_thread(self._fetcher.fetch, refused)
        except CredentialError as error:
            self._failed, self._failed_at = error, time.monotonic()
            raise
        except Exception as error:  # what an issuer may answer, nobody knows all of it
            words = f"what the issuer of the token answered cannot be read ({type(error).__name__})"
            self._failed, self._failed_at = CredentialError(words, transient=True), time.monotonic()
            raise self._failed from error
        finally:
            # Of before: what somebody writes meanwhile is read again, as is what fetching itself wrote.
            self._stamp = stamp
        self._hold(credential)
        if refused is not None:
            self._renewed_at = self._fetched_at
        return credential

    def _hold(self, credential: Credential) -> None:
        self._held = credential
        self._failed = None
        self._fetched_at = time.monotonic()
        if credential.expires_at is not None:
            self._lead = min(LEAD, max(0.0, credential.expires_at - self._clock()) * _SHARE)


def _look_at(task: asyncio.Task[Credential]) -> None:
    """A renewal beside the requests that failed is told by the next one that needs it."""
    if not task.cancelled():
        task.exception()

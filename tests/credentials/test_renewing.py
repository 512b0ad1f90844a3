"""When a credential is renewed, how often, and what a failure means."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.credentials.source import Credential, CredentialError

START = 1_000_000.0


class Issuer:
    """Tokens `t1`, `t2` ... that live `life` seconds by its own clock, `skew` seconds before ours."""

    def __init__(self, life: float | None = 3600.0, skew: float = 0.0) -> None:
        self.now = START
        self.life = life
        self.skew = skew
        self.fetched = 0
        self.refused: list[str] = []
        self.failure: CredentialError | None = None
        self.version = 0
        self.slow = 0.0
        self.renews = True
        self._one = threading.Lock()

    def fetch(self, refused: Credential | None = None) -> Credential:
        assert self._one.acquire(blocking=False), "two renewals at once"
        try:
            time.sleep(self.slow)
            if refused:
                self.refused.append(refused.token)
            if self.failure:
                raise self.failure
            if self.renews or not self.fetched:
                self.fetched += 1
            return Credential(f"t{self.fetched}", self.life and self.now + self.skew + self.life)
        finally:
            self._one.release()

    def stamp(self) -> object:
        return self.version

    def clock(self) -> float:
        return self.now


def of(issuer: Issuer, first: Credential | None = None) -> Renewing:
    """Without a pause: the tests' clock does not run."""
    return Renewing(issuer, first, clock=issuer.clock, pause=0.0)


async def token(source: Renewing) -> str:
    return (await source.current()).token


async def test_it_is_fetched_once_and_kept() -> None:
    issuer = Issuer()
    source = of(issuer)
    assert [await token(source) for _ in range(5)] == ["t1"] * 5
    issuer.now += 3200
    assert await token(source) == "t1"


@pytest.mark.parametrize(
    ("life", "passed", "waits"), [(3600, 3310, False), (3600, 3580, True), (100, 85, False), (100, 99, True)]
)
async def test_it_is_renewed_before_its_end_beside_the_requests(
    life: float, passed: float, *, waits: bool
) -> None:
    issuer = Issuer(life)
    source = of(issuer)
    assert await token(source) == "t1"
    issuer.now += passed
    assert await token(source) == ("t2" if waits else "t1")
    for _ in range(100):
        if await token(source) == "t2":
            break
        await asyncio.sleep(0.01)
    assert (await token(source), issuer.fetched) == ("t2", 2)


async def test_many_requests_make_one_renewal() -> None:
    issuer = Issuer()
    issuer.slow = 0.1
    source = of(issuer)
    assert set(await asyncio.gather(*(token(source) for _ in range(50)))) == {"t1"}
    refused = await asyncio.gather(*(source.renew() for _ in range(50)))
    assert {credential.token for credential in refused} == {"t2"}
    assert (issuer.fetched, issuer.refused) == (2, ["t1"])


async def test_who_is_refused_later_gets_what_was_renewed_for_the_first() -> None:
    issuer = Issuer()
    source = Renewing(issuer, Credential("old"), clock=issuer.clock)
    assert (await source.renew()).token == "t1"
    assert (await source.renew()).token == "t1"
    assert (issuer.fetched, issuer.refused) == (1, ["old"])


async def test_what_was_just_read_can_be_refused() -> None:
    issuer = Issuer()
    source = Renewing(issuer, clock=issuer.clock)
    assert await token(source) == "t1"
    assert (await source.renew()).token == "t2"


async def test_a_request_that_is_given_up_does_not_stop_the_renewal() -> None:
    issuer = Issuer()
    issuer.slow = 0.2
    source = of(issuer)
    asked = asyncio.create_task(token(source))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    issuer.slow = 0.0
    assert (await token(source), issuer.fetched) == ("t1", 1)


async def test_a_first_credential_is_used_until_something_changed() -> None:
    issuer = Issuer()
    issuer.version = 1
    given = Credential("first", START + 3600)
    issuer.renews = False
    assert await token(of(issuer, given)) == "t1"  # the store is looked at once
    assert await token(Renewing(Unstored(), given, clock=issuer.clock)) == "first"


class Unstored(Issuer):
    def stamp(self) -> object:
        return None


async def test_a_change_of_what_is_stored_is_taken_over() -> None:
    issuer = Issuer()
    source = of(issuer)
    await token(source)
    issuer.version += 1
    assert (await token(source), await token(source)) == ("t2", "t2")
    issuer.version += 1
    issuer.failure = CredentialError("half written", transient=True)
    assert await token(source) == "t2"  # what is held is good; it is not asked for again each time
    issuer.failure = None
    assert await token(source) == "t2"
    issuer.version += 1
    assert await token(source) == "t3"


@pytest.mark.parametrize("transient", [True, False])
async def test_a_failed_renewal_costs_nothing_while_the_old_one_is_good(*, transient: bool) -> None:
    issuer = Issuer()
    source = of(issuer)
    await token(source)
    issuer.now += 3580
    issuer.failure = CredentialError("it failed", "ccproxy login x", transient=transient)
    assert await token(source) == "t1"
    issuer.now += 30
    with pytest.raises(CredentialError, match="it failed") as caught:
        await token(source)
    assert (caught.value.hint, caught.value.transient) == ("ccproxy login x", transient)
    issuer.failure = None
    assert await token(source) == "t2"


async def test_after_a_refusal_the_old_one_is_good_for_nothing() -> None:
    issuer = Issuer()
    source = of(issuer)
    await token(source)
    issuer.failure = CredentialError("revoked", "ccproxy login x")
    with pytest.raises(CredentialError, match="revoked"):
        await source.renew()


async def test_failures_are_not_asked_for_again_at_once() -> None:
    issuer = Issuer()
    issuer.failure = CredentialError("down", "wait", transient=True)
    source = Renewing(issuer, clock=issuer.clock)
    for _ in range(3):
        with pytest.raises(CredentialError, match="down") as caught:
            await source.current()
        assert (caught.value.hint, caught.value.transient) == ("wait", True)
        issuer.failure = None


async def test_a_failure_beside_the_requests_keeps_the_old_one() -> None:
    issuer = Issuer()
    source = Renewing(issuer, Credential("t0", START + 1000), clock=issuer.clock)
    issuer.version = 0
    issuer.failure = CredentialError("down", transient=True)
    issuer.now += 1000 - 10
    source._stamp = 0  # as if it had been read already
    assert await token(source) == "t0"
    assert await token(source) == "t0"


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
async def test_another_clock_makes_no_loop(skew: float) -> None:
    """Ours before: what was issued looks expired. Ours behind: it ends while it still looks good."""
    issuer = Issuer(skew=skew)
    source = Renewing(issuer, clock=issuer.clock)
    assert [await token(source) for _ in range(5)] == ["t1"] * 5
    assert issuer.fetched == 1


async def test_a_source_with_nothing_newer_gives_the_same_again() -> None:
    issuer = Issuer(None)
    issuer.renews = False
    source = of(issuer)
    await token(source)
    assert (await source.renew()).token == "t1"


async def test_what_cannot_be_read_is_a_failure_like_others() -> None:
    issuer = Issuer()
    issuer.life = "soon"  # type: ignore[assignment] # no issuer keeps to types
    source = Renewing(issuer, clock=issuer.clock)
    for _ in range(2):
        with pytest.raises(CredentialError, match=r"cannot be read \(TypeError\)") as caught:
            await token(source)
        assert caught.value.transient
    assert issuer.fetched == 1


async def test_a_request_waits_for_so_long_only() -> None:
    issuer = Issuer(life=100.0)
    source = Renewing(issuer, clock=issuer.clock, pause=0.0, longest=0.05)
    assert await token(source) == "t1"
    issuer.slow = 0.3
    issuer.now += 99  # it is still good
    assert await token(source) == "t1"
    with pytest.raises(CredentialError, match=r"within 0\.05 s") as caught:
        await source.renew()
    assert caught.value.transient
    await asyncio.sleep(0.4)
    issuer.slow = 0.0
    assert await token(source) == "t2"  # what came after all

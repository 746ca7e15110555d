"""How often who may call."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.limits import Limiter, Rate, gcra
from tests.gateway.support import SECRET, Gateway, running, sqlite

ID = "019a9c1e-0000-7000-8000-000000000001"
FORM = {"grant_type": "client_credentials"}


async def test_a_client_over_its_rate_is_told_when_to_come_back(tmp_path):
    async with running(sqlite(tmp_path), rate_per_second=1, rate_burst=3) as gateway:
        bearer = await gateway.bearer()

        answers = [await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer) for _ in range(5)]
        gateway.clock.advance(timedelta(seconds=1))
        later = await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)
        again = await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert (answers[3].headers["retry-after"], answers[3].json()["code"]) == ("1", "rate_limited")
    assert (later.status_code, again.status_code) == (202, 429)


async def test_reads_and_writes_and_clients_are_counted_apart(tmp_path):
    async with running(sqlite(tmp_path), rate_per_second=1, rate_burst=1) as gateway:
        police, hub = await gateway.bearer(), await gateway.bearer("hub", SECRET + "-hub")

        statuses = [
            (await gateway.http.get(f"/v1/referrals/{ID}", headers=police)).status_code,
            (await gateway.http.get(f"/v1/referrals/{ID}", headers=police)).status_code,
            (await gateway.http.post("/v1/referrals", headers=police)).status_code,
            (await gateway.http.get("/v1/cases", headers=hub)).status_code,
        ]

    assert statuses == [202, 429, 202, 202]


async def test_guessing_a_secret_is_stopped_and_does_not_lock_the_client_out(gateway: Gateway):
    """Row 48 of the bad-input matrix."""
    guesses = [await gateway.http.post("/oauth/token", data=FORM, auth=("police", "x")) for _ in range(100)]

    assert guesses[0].status_code == 401
    assert (guesses[-1].status_code, guesses[-1].json()["error"]) == (429, "slow_down")
    assert int(guesses[-1].headers["retry-after"]) >= 1
    elsewhere = gateway.http._transport
    elsewhere.client = ("192.0.2.7", 1)
    assert (await gateway.http.post("/oauth/token", data=FORM, auth=("police", SECRET))).status_code == 200


async def test_bad_access_tokens_are_limited_and_a_good_one_still_passes(gateway: Gateway):
    bearer = await gateway.bearer()
    bad = [await gateway.http.get(f"/v1/referrals/{ID}", headers={"authorization": "Bearer x"}) for _ in range(100)]

    assert (bad[0].status_code, bad[-1].status_code) == (401, 429)
    assert (await gateway.http.get(f"/v1/referrals/{ID}", headers=bearer)).status_code == 202


async def test_rubbish_at_the_token_endpoint_is_limited_too(gateway: Gateway):
    answers = [await gateway.http.post("/oauth/token", data=FORM) for _ in range(100)]

    assert (answers[0].status_code, answers[-1].status_code) == (401, 429)


async def test_a_client_that_asks_for_tokens_all_the_time_is_slowed_down(gateway: Gateway):
    answers = [await gateway.http.post("/oauth/token", data=FORM, auth=("police", SECRET)) for _ in range(101)]

    assert [answer.status_code for answer in answers] == [200] * 100 + [429]


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 10))
def test_no_window_holds_more_than_burst_and_rate_allow(gaps: list[float], per_second: int, burst: int):
    rate, arrival, now, passed = Rate(per_second, burst), 0.0, 1000.0, []
    for gap in gaps:
        now += gap
        arrival, wait = gcra(arrival, now, rate)
        if not wait:
            passed.append(now)

    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) * per_second + 1e-6


@given(st.integers(1, 50), st.integers(1, 20))
def test_after_the_wait_the_call_passes(per_second: int, burst: int):
    rate, arrival = Rate(per_second, burst), 0.0
    for _ in range(burst):
        arrival, wait = gcra(arrival, 1000.0, rate)
        assert wait == 0
    arrival, wait = gcra(arrival, 1000.0, rate)

    assert 0 < wait <= 1 / per_second + 1e-6
    assert gcra(arrival, 1000.0 + wait, rate)[1] == 0


def test_a_clock_that_is_set_back_locks_nobody_out():
    limiter = Limiter(Rate(1, 2))
    limiter.take("a", 10_000.0)

    assert limiter.take("a", 100.0) == 0


@pytest.mark.parametrize("idle", [True, False])
def test_many_callers_take_bounded_memory(idle: bool):
    limiter = Limiter(Rate(1, 2))
    for number in range(25_000):
        limiter.take(str(number), number if idle else 1.0)

    assert len(limiter._arrivals) <= 10_000

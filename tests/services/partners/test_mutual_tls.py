"""Mutual TLS: the hub shows who it is where an endpoint asks, to nobody else, and never without its certificate."""

import os
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from hubkit.config import SettingsError
from hubkit.egress import ClientIdentity, IdentityError, WebhookClient
from services.partners.actions.secured import Secured
from services.partners.settings import PartnersSettings
from tests.services.partners.delivery_support import dispatching, open_world, receiving, register_verified, until
from tests.services.partners.support import FIELD_KEYS
from tests.support.certificates import Authority, Files


def identity(authority: Authority, files: Files) -> ClientIdentity:
    return ClientIdentity(str(files.certificate), str(files.key), authority.trust)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "authority")


@pytest.fixture
def hubs(authority: Authority) -> ClientIdentity:
    return identity(authority, authority.issue("hub"))


def server(authority: Authority, *, asks: bool = True) -> ssl.SSLContext:
    return authority.server(authority.issue("partner"), asks=asks)


async def shown(request: web.Request) -> web.StreamResponse:
    """Answer with the name on the client's certificate."""
    assert request.transport is not None
    peer = request.transport.get_extra_info("peercert") or {}
    return web.Response(text=str(peer.get("subject", "")))


async def test_a_server_that_asks_is_shown_the_certificate(authority: Authority, hubs: ClientIdentity) -> None:
    client = WebhookClient(allow_private=True, tls=authority.trust(), identity=hubs.context)
    try:
        async with receiving(shown, server(authority)) as receiver:
            with_it = await client.post(receiver.url, {}, b"{}", mutual_tls=True)
            without = await client.post(receiver.url, {}, b"{}")
            again = await client.post(receiver.url, {}, b"{}", mutual_tls=True)
    finally:
        await client.aclose()
    assert (with_it.ok, b"hub" in with_it.body_excerpt) == (True, True)
    # TLS 1.3 says so only after the handshake, when it reads as a closed connection.
    assert (without.ok, without.status) == (False, None)
    assert without.error_class in ("tls", "reset")
    assert again.ok
    assert len(receiver.received) == 2


async def test_nobody_else_is_shown_it(authority: Authority, hubs: ClientIdentity) -> None:
    tls = server(authority)
    tls.verify_mode = ssl.CERT_OPTIONAL
    client = WebhookClient(allow_private=True, tls=authority.trust(), identity=hubs.context)
    try:
        async with receiving(shown, tls) as receiver:
            seen = [await client.post(receiver.url, {}, b"{}", mutual_tls=asked) for asked in (True, False, True)]
    finally:
        await client.aclose()
    assert [b"hub" in each.body_excerpt for each in seen] == [True, False, True]


async def test_without_a_certificate_nothing_is_sent(authority: Authority) -> None:
    client = WebhookClient(allow_private=True, tls=authority.trust())
    try:
        async with receiving(shown, server(authority, asks=False)) as receiver:
            attempt = await client.post(receiver.url, {}, b"{}", mutual_tls=True)
    finally:
        await client.aclose()
    assert (attempt.ok, attempt.error_class) == (False, "tls")
    assert receiver.received == []


def test_a_renewed_certificate_is_taken_up_and_half_of_a_renewal_is_not(authority: Authority) -> None:
    files = authority.issue("hub", timedelta(days=1))
    found = identity(authority, files)
    first, until_first = found.context(), found.expires_at
    assert found.context() is first
    authority.issue("hub", timedelta(days=3))
    key = files.key.read_bytes()
    files.key.write_bytes(b"-----BEGIN")
    _touch(files, 1)
    assert found.context() is first
    files.key.unlink()
    assert found.context() is first
    files.key.write_bytes(key)
    _touch(files, 2)
    assert found.context() is not first
    assert found.expires_at - until_first >= timedelta(days=2)


def _touch(files: Files, seconds: int) -> None:
    """Give the files another time, however coarse the clock of the file system is."""
    for path in (files.certificate, files.key):
        at = path.stat().st_mtime + seconds
        os.utime(path, (at, at))


def test_files_that_are_missing_or_do_not_belong_together_are_refused(authority: Authority, tmp_path: Path) -> None:
    ours, other = authority.issue("hub"), authority.issue("other")
    (tmp_path / "empty").write_text("")
    for certificate, key in (
        (ours.certificate, other.key),
        (ours.certificate, tmp_path / "none"),
        (tmp_path / "empty", ours.key),
        (ours.key, ours.key),
    ):
        with pytest.raises(IdentityError) as refused:
            ClientIdentity(str(certificate), str(key))
        assert "BEGIN" not in str(refused.value)


async def test_an_endpoint_with_mutual_tls_is_told_and_the_expiry_is_exported(
    authority: Authority, hubs: ClientIdentity, tmp_path: Path
) -> None:
    client = WebhookClient(allow_private=True, tls=authority.trust(), identity=hubs.context)
    url = f"sqlite+aiosqlite:///{tmp_path}/partners.db"
    async with open_world(url, identity=hubs) as world, receiving(shown, server(authority)) as receiver:
        partner = await world.partner()
        async with world.db.transaction() as tx:
            await register_verified(
                tx, world.deps, world.callers[partner], receiver.url, None, Secured(mutual_tls=True)
            )
        async with dispatching(world, client):
            await world.notify(partner)
            await world.states(delivered=1)

            async def exported() -> bool:
                return bool(REGISTRY.get_sample_value("onward_client_certificate_expires_seconds"))

            await until(exported)
    left = (hubs.expires_at - world.clock.now()).total_seconds()
    assert REGISTRY.get_sample_value("onward_client_certificate_expires_seconds") == left
    assert len(receiver.received) == 1


def given(**files: Path) -> dict[str, str]:
    return {
        "PARTNERS_DATABASE_URL": "sqlite+aiosqlite:///partners.db",
        "PARTNERS_FIELD_KEYS": FIELD_KEYS,
        "PARTNERS_INTERNAL_KEY": "{}",
        "PARTNERS_PUBLIC_URL": "https://hub.example.org",
        **{f"PARTNERS_CLIENT_{name.upper()}_FILE": str(path) for name, path in files.items()},
    }


def test_the_settings_name_both_files_or_none(authority: Authority) -> None:
    files = authority.issue("hub")
    found = PartnersSettings.load(given(certificate=files.certificate, key=files.key)).identity()
    assert found is not None
    assert not found.is_for_development
    assert PartnersSettings.load(given()).identity() is None
    with pytest.raises(SettingsError, match="go together"):
        PartnersSettings.load(given(certificate=files.certificate))
    with pytest.raises(SettingsError, match="not usable"):
        PartnersSettings.load(given(certificate=files.certificate, key=authority.issue("other").key))


@pytest.mark.parametrize(("of", "to"), [("Example authority", "Development hub"), ("Our development authority", "hub")])
def test_production_refuses_a_certificate_that_was_made_to_try_things(tmp_path: Path, of: str, to: str) -> None:
    files = Authority.make(tmp_path / "authority", of).issue(to)
    with_it = given(certificate=files.certificate.rename(tmp_path / "c.pem"), key=files.key.rename(tmp_path / "k.pem"))
    with pytest.raises(SettingsError, match="client_certificate_file"):
        PartnersSettings.load(with_it)
    assert PartnersSettings.load(with_it | {"PARTNERS_ENVIRONMENT": "development"}).identity() is not None

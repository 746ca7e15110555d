"""Wires the intake service."""

from functools import partial

from fastapi import FastAPI

from hubkit.auth import InternalVerifier
from hubkit.batch import BatchWriter
from hubkit.db import Tx
from hubkit.egress import HttpInternalClient
from hubkit.errors import HubError
from hubkit.messenger import FolderMessenger, Messenger, NotifyMessenger
from hubkit.profiles import ProfileBook
from hubkit.service import Ports, Service
from hubkit.web import new_app
from services.intake import api, consumers, jobs
from services.intake.actions.deps import Deps
from services.intake.actions.register import Register, register_referrals
from services.intake.model import Registered
from services.intake.settings import IntakeSettings


def create(settings: IntakeSettings | None = None, ports: Ports | None = None) -> FastAPI:
    """Return the intake service's app."""
    settings = settings or IntakeSettings.load()
    service = Service("services.intake", settings, ports)
    book = ProfileBook.load(settings.profile)
    deps = Deps.of(book.current, settings.field_keys, settings.index_key, settings.message_contact)
    sender = jobs.MessageSender(service.db, deps, _messenger(settings, service))

    async def register(tx: Tx, commands: list[Register]) -> list[Registered | HubError]:
        return await register_referrals(tx, deps, commands)

    writer = BatchWriter(service.db, register)
    service.messages(consumers.handlers(sender.wake), consumers.PATIENT)
    service.loop("writer", writer.run)
    service.loop("sender", sender.run)
    service.loop("keys", partial(jobs.forget_keys, service.db))
    app = new_app("Onward intake", lifespan=service.lifespan)
    app.state.deps, app.state.writer = deps, writer
    app.state.verifier = InternalVerifier(settings.trusted_keys, service.name, service.clock)
    app.state.transfer_limit_bytes = settings.transfer_limit_bytes
    app.include_router(api.router)
    service.add_probes(app)
    return app


def _messenger(settings: IntakeSettings, service: Service) -> Messenger | None:
    messenger: Messenger
    if settings.notify_api_key is not None:
        client = HttpInternalClient(settings.notify_url, connections=jobs.AT_ONCE)
        messenger = NotifyMessenger(client, settings.notify_api_key, settings.notify_templates, service.clock)
    elif settings.messages_folder is not None:
        messenger = FolderMessenger(settings.messages_folder, service.clock)
    else:
        return None
    service.on_stop(messenger.aclose)
    return messenger

"""Opens e-mail: its processor over the mail server, the app's suppressed addresses and the shared cache."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.email.compose import composer_of
from processors.email.delivery_settings import DeliverySettings
from processors.email.dependencies import EmailDependencies
from processors.email.feature import NAMES
from processors.email.payload import Mailbox
from processors.email.processor import SendEmail
from processors.email.settings import EmailSettings
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.settings import SmtpSettings
from processors.reach.reach import facts_of_reach, open_reach
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Opened
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served
    from storage.ports import Suppressions


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """E-mail, until the worker ends. The caller closes the tools."""
    settings = served.of(SmtpSettings)
    mailer = SmtpMailer(settings.server, settings.smtp_pool)
    delivery = served.of(DeliverySettings)
    dependencies = EmailDependencies(
        mailer=mailer,
        compose=composer_of(served, tools),
        suppressions=_suppressions(served, tools, delivery.email_suppression_table),
        cache=tools.cache,
        domain=Mailbox.model_validate(served.of(EmailSettings).mail_from).address.rpartition("@")[2],
        uncertain=delivery.email_uncertain,
        reach=open_reach(tools.storage, served),
    )
    processor = SendEmail(dependencies)
    try:
        yield Opened(
            processors=dict.fromkeys(NAMES, processor),
            on_dead=dict.fromkeys(NAMES, processor.on_dead),
            checks={"mail_server": mailer.check},
            facts=facts_of_reach(served),
        )
    finally:
        await mailer.close()


def _suppressions(served: Served, tools: Tools, table: str | None) -> Suppressions:
    if table is not None and served.find(DatabaseSettings) is None:
        msg = "EMAIL_SUPPRESSION_TABLE: needs DATABASE_URL, where the table is"
        raise ConfigurationError(msg)
    return tools.storage.suppressions(table)

"""What the environment says of the mails themselves. The mail server's settings are in smtp/settings.py."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.email import addresses
from processors.sandbox.limits import MEBIBYTE

HOST = r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$"


class EmailSettings(BaseSettings):
    """The sender, the templates, the attachments and the signature."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    mail_from: str = Field(description="Who sends the mails: `Your App <app@your-domain.com>`, or an address alone.")
    email_templates: Path | None = Field(
        None, description="The folder of the templates: `welcome.html`, `welcome.de.html`, `welcome.subject.txt` ..."
    )
    email_max_attachments: int = Field(
        7,
        ge=1,
        le=50,
        description="MiB of all attachments of one mail, as they are stored; in the mail they are 37 % larger.",
    )
    email_dkim_domain: str | None = Field(
        None,
        pattern=HOST,
        description="The domain that signs the mails, if neither the provider nor a relay does. "
        "Needs `pip install dkimpy`, and the next two.",
    )
    email_dkim_selector: str | None = Field(
        None, pattern=HOST, description="The name of the key: its public half is at `<selector>._domainkey.<domain>`."
    )
    email_dkim_private_key: SecretStr | None = Field(
        None, description="The private key, RSA in PEM. `\\n` stands for a line break."
    )

    @field_validator("mail_from")
    @classmethod
    def _one(cls, value: str) -> str:
        addresses.split(value)
        return value

    @field_validator("email_templates")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            msg = "there is no such folder"
            raise ValueError(msg)
        return value and value.resolve()

    @field_validator("email_dkim_private_key")
    @classmethod
    def _pem(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().replace("\\n", "\n").strip() if value else ""
        if value is not None and not text.startswith("-----BEGIN "):
            msg = "not a key in PEM, which begins with -----BEGIN"
            raise ValueError(msg)
        return SecretStr(text) if text else None

    @model_validator(mode="after")
    def _all_of_dkim(self) -> Self:
        given = (self.email_dkim_domain, self.email_dkim_selector, self.email_dkim_private_key)
        if any(given) and not all(given):
            msg = "EMAIL_DKIM_DOMAIN, EMAIL_DKIM_SELECTOR and EMAIL_DKIM_PRIVATE_KEY belong together: set all or none"
            raise ValueError(msg)
        return self

    def max_attachments(self) -> int:
        """Bytes of one mail's attachments."""
        return self.email_max_attachments * MEBIBYTE

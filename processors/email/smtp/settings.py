"""What the environment says of the mail server. The names, and what they mean, are Nodemailer's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.email.smtp.server import (
    IMPLICIT_PORT,
    STARTTLS_PORTS,
    SUBMISSION_PORT,
    Server,
    Tls,
    check_host,
    is_loopback,
    parse_url,
)

# The fields that name a server.
NAMING = frozenset({"smtp_url", "smtp_host", "smtp_port", "smtp_user", "smtp_pass", "smtp_secure"})


class SmtpSettings(BaseSettings):
    """The mail server."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    # Each check reads the fields above its own.
    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server in one variable, in place of the next five: `smtp://user:password@host:587`, or "
        "`smtps://...` for TLS from the start. Special characters of the password are encoded (`%40` for `@`).",
    )
    smtp_host: str | None = Field(
        None, validate_default=True, description="The mail server's name, such as `smtp.resend.com`."
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port. Default: 587, or 465 with `SMTP_SECURE=true`."
    )
    smtp_user: str = Field("", description="The user name at the mail server.")
    smtp_pass: SecretStr = Field(
        SecretStr(""), validate_default=True, description="The user's password, or the provider's API key."
    )
    smtp_secure: bool | None = Field(
        None,
        description="`true`: TLS from the start. Default: so with port 465, else STARTTLS where the server offers it.",
    )
    smtp_ignore_tls: bool = Field(default=False, description="1: no STARTTLS; only for a server on this machine.")
    smtp_require_tls: bool | None = Field(
        None,
        description="1: send nothing without TLS. Default: 1 if there is a user and the server is another machine.",
    )
    smtp_pool: int = Field(5, ge=1, le=100, description="Connections of one process to the mail server.")

    @field_validator("smtp_url")
    @classmethod
    def _url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_url(value.get_secret_value())
        return value

    @field_validator("smtp_host", "smtp_port", "smtp_user", "smtp_pass", "smtp_secure")
    @classmethod
    def _beside_url(cls, value: Any, info: ValidationInfo) -> Any:
        is_given = value not in {None, "", SecretStr("")}
        if is_given and info.data.get("smtp_url") is not None:
            msg = "set with SMTP_URL, which has it, too; leave one of them out"
            raise ValueError(msg)
        return value

    @field_validator("smtp_host")
    @classmethod
    def _host(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("smtp_url", "") is None:
            msg = "not set; set it to the mail server's name, e.g. smtp.resend.com"
            raise ValueError(msg)
        return None if value is None else check_host(value)

    @field_validator("smtp_pass")
    @classmethod
    def _pass(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        user, is_given = info.data.get("smtp_user"), bool(value.get_secret_value())
        if user is not None and bool(user) != is_given:
            msg = "set without SMTP_USER; set both" if is_given else "not set, but SMTP_USER is; set both"
            raise ValueError(msg)
        return value

    @field_validator("smtp_secure", mode="before")
    @classmethod
    def _true_or_false(cls, value: Any) -> Any:
        if isinstance(value, str) and value.lower() in {"tls", "ssl", "starttls"}:
            msg = f"write true for TLS from the start (port {IMPLICIT_PORT}), or leave it out for STARTTLS"
            raise ValueError(msg)
        return value

    @field_validator("smtp_secure")
    @classmethod
    def _secure(cls, value: bool | None, info: ValidationInfo) -> bool | None:  # noqa: FBT001 - pydantic's way
        port = info.data.get("smtp_port")
        if value and port in STARTTLS_PORTS:
            msg = f"port {port} wants STARTTLS: leave it out, or use port {IMPLICIT_PORT}"
            raise ValueError(msg)
        if value is False and port == IMPLICIT_PORT:
            msg = f"port {port} speaks TLS from the start: leave it out, or use port {SUBMISSION_PORT}"
            raise ValueError(msg)
        return value

    @field_validator("smtp_ignore_tls")
    @classmethod
    def _ignore(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - as above
        if value and info.data.keys() >= NAMING:
            server = _named(info.data)
            if server.tls is Tls.IMPLICIT:
                msg = "the connection is TLS from the start; leave it out, or use port 587 without SMTP_SECURE"
                raise ValueError(msg)
            if not is_loopback(server.host):
                msg = "only for a server on this machine; leave it out: STARTTLS is used where the server offers it"
                raise ValueError(msg)
        return value

    @field_validator("smtp_require_tls")
    @classmethod
    def _require(cls, value: bool | None, info: ValidationInfo) -> bool | None:  # noqa: FBT001 - as above
        if value and info.data.get("smtp_ignore_tls"):
            msg = "set with SMTP_IGNORE_TLS; leave one of them out"
            raise ValueError(msg)
        return value

    @property
    def server(self) -> Server:
        """The server that they name."""
        server = _named(self.__dict__)
        if server.tls is Tls.IMPLICIT:
            return server
        required = self.smtp_require_tls
        if required is None:
            required = bool(server.user) and not is_loopback(server.host)
        tls = Tls.REQUIRED if required else Tls.NEVER if self.smtp_ignore_tls else Tls.OFFERED
        return replace(server, tls=tls)


def _named(values: dict[str, Any]) -> Server:
    """The server that these values name; whether it must speak TLS is not yet decided."""
    if (url := values["smtp_url"]) is not None:
        return parse_url(url.get_secret_value())
    is_secure = values["smtp_secure"]
    port = values["smtp_port"] or (IMPLICIT_PORT if is_secure else SUBMISSION_PORT)
    if is_secure is None:
        is_secure = port == IMPLICIT_PORT
    tls = Tls.IMPLICIT if is_secure else Tls.OFFERED
    return Server(values["smtp_host"], port, tls, values["smtp_user"], values["smtp_pass"].get_secret_value())

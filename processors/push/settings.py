"""What the environment says about push."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from processors.push.endpoints import AllowedHosts
from processors.push.hostname import is_public_hostname
from processors.push.subject import check_subject
from processors.push.vapid import VapidSigner, encode_public_key, parse_private_key, parse_public_key


class PushSettings(BaseSettings):
    """The server's identity, and whom it may call."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    # Before the public key, whose check reads it.
    vapid_private_key: SecretStr = Field(
        description="The private VAPID key: base64url as `npx web-push generate-vapid-keys` prints it, or PEM."
    )
    vapid_public_key: str = Field(
        description="The public key of the same pair, the one that the browser subscribes with."
    )
    vapid_subject: str = Field(
        description="Whom a push service may write to: `mailto:` and an address, or an https URL."
    )
    push_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Push services to call besides Google's, Mozilla's, Apple's and Microsoft's: host names, "
        "comma-separated; names under them are meant too.",
    )
    push_allow_local_endpoints: bool = Field(
        default=False, description="Development: also call endpoints on this machine, with http or https, on any port."
    )

    @field_validator("vapid_private_key")
    @classmethod
    def _private_key(cls, value: SecretStr) -> SecretStr:
        parse_private_key(value.get_secret_value())
        return value

    @field_validator("vapid_public_key")
    @classmethod
    def _public_key(cls, value: str, info: ValidationInfo) -> str:
        public_key = parse_public_key(value)
        private_key = info.data.get("vapid_private_key")
        if private_key is not None and public_key != _public_half(private_key):
            msg = "does not belong to VAPID_PRIVATE_KEY; set both from the same pair"
            raise ValueError(msg)
        return public_key

    @field_validator("vapid_subject")
    @classmethod
    def _subject(cls, value: str) -> str:
        return check_subject(value)

    @field_validator("push_allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("push_allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        hosts = tuple(host.lower().removeprefix("*").removeprefix(".") for host in value)
        if not all(is_public_hostname(host) for host in hosts):
            msg = "not a list of host names; write names alone, as in push.example.com, without https:// and port"
            raise ValueError(msg)
        return hosts

    def signer(self) -> VapidSigner:
        """The signer with these keys."""
        return VapidSigner(parse_private_key(self.vapid_private_key.get_secret_value()), self.vapid_subject)

    def allowed_hosts(self) -> AllowedHosts:
        """Who may be called."""
        return AllowedHosts(self.push_allowed_hosts, self.push_allow_local_endpoints)


def _public_half(private_key: SecretStr) -> str:
    return encode_public_key(parse_private_key(private_key.get_secret_value()).public_key())

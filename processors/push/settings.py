"""What the environment says about push."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from processors.public_hosts import is_public_hostname
from processors.push.delivery import DEFAULT_LIMIT, MAX_PLAINTEXT


class PushSettings(BaseSettings):
    """The server's identity, and the push services that it may call."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    # Before the public key, whose check reads it.
    vapid_private_key: SecretStr = Field(
        description="The private VAPID key: base64url as `npx web-push generate-vapid-keys` prints it, or PEM."
    )
    vapid_public_key: str = Field(description="The public key of the same pair, with which the browser subscribes.")
    vapid_subject: str = Field(description="Contact for push services: `mailto:` and an address, or an https URL.")
    vapid_previous_private_keys: SecretStr = Field(
        SecretStr(""),
        description="Private keys of earlier pairs, comma-separated, so that their subscriptions keep working.",
    )
    push_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description=(
            "Further push services besides Google's, Mozilla's, Apple's and Microsoft's: host names, comma-separated."
            " Their subdomains are included."
        ),
    )
    push_allow_local_endpoints: bool = Field(
        default=False,
        description="1, for development: also call endpoints on this machine, with http or https, on any port.",
    )
    push_max_payload: int = Field(
        DEFAULT_LIMIT,
        ge=200,
        le=MAX_PLAINTEXT,
        description=(
            "Greatest size of a notification, in bytes of JSON. Longer bodies are shortened. Firefox on Android takes"
            " 2,744 bytes, other browsers 3,993."
        ),
    )
    push_declarative: bool = Field(
        default=False,
        description=(
            "1: send Declarative Web Push, which Safari shows without a service worker if `url` and `icon` are "
            "absolute."
        ),
    )
    push_locale_table: str | None = Field(
        None,
        description="The table of users, if a message with `payloads` is to be in the locale of the row with the user's"
        " `id` where the subscription has none.",
    )
    push_locale_column: str = Field("locale", min_length=1, description="The column of that table for the locale.")

    @field_validator("vapid_private_key")
    @classmethod
    def _private_key(cls, value: SecretStr) -> SecretStr:
        from processors.push.vapid import parse_private_key

        parse_private_key(value.get_secret_value())
        return value

    @field_validator("vapid_public_key")
    @classmethod
    def _public_key(cls, value: str, info: ValidationInfo) -> str:
        from processors.push.vapid import parse_public_key, public_half

        public_key = parse_public_key(value)
        private_key = info.data.get("vapid_private_key")
        if private_key is not None and public_key != public_half(private_key.get_secret_value()):
            msg = "does not belong to VAPID_PRIVATE_KEY; set both from the same pair"
            raise ValueError(msg)
        return public_key

    @field_validator("vapid_previous_private_keys")
    @classmethod
    def _previous(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        from processors.push.vapid import listed, public_half

        publics = [public_half(key) for key in listed(value.get_secret_value())]
        current = info.data.get("vapid_private_key")
        if current is not None and public_half(current.get_secret_value()) in publics:
            msg = "has VAPID_PRIVATE_KEY's own key; give earlier ones only"
            raise ValueError(msg)
        return value

    @field_validator("vapid_subject")
    @classmethod
    def _subject(cls, value: str) -> str:
        from processors.push.subject import check_subject

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


class SubscriptionSettings(BaseSettings):
    """The table of push subscriptions."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    push_subscription_table: str = Field(
        "PushSubscription", min_length=1, description="The table of push subscriptions, as the database spells it."
    )
    push_subscription_columns: str = Field(
        "",
        description="The app's names for the columns of that table: `name=column` pairs, comma-separated, as in "
        "`userId=user_id,keys=keys,active=is_active` ([which names](docs/next.js.md#the-apps-tables)).",
    )
    push_where_columns: str = Field(
        "",
        description="Columns of that table by which a job may choose subscriptions (`options.where`), comma-separated:"
        " `plan`, or `isActive=is_active` if jobs use another name.",
    )

    @field_validator("push_where_columns")
    @classmethod
    def _where(cls, value: str) -> str:
        from storage.conditions import parse_where

        parse_where(value)
        return value

    @field_validator("push_subscription_columns")
    @classmethod
    def _columns(cls, value: str) -> str:
        from storage.columns import parse_columns

        parse_columns(value)
        return value

    @property
    def arguments(self) -> tuple[str, str, str]:
        """What `Storage.subscriptions` takes. All features give the same, so that they share one."""
        return self.push_subscription_table, self.push_subscription_columns, self.push_where_columns

"""Push's part of the environment: refused values, and their messages at start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from processors.push.message import PayloadStyle
from processors.push.opening import allowed_hosts, payload_style, signers
from processors.push.settings import PushSettings, SubscriptionSettings
from processors.push.vapid import parse_private_key
from queue_lib.errors import ConfigurationError
from queue_lib.settings import load
from tests.support.push_service import make_vapid_keys

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE, PUBLIC = make_vapid_keys()
OTHER_PRIVATE, OTHER_PUBLIC = make_vapid_keys()
OPTIONAL = (
    "PUSH_ALLOWED_HOSTS",
    "PUSH_ALLOW_LOCAL_ENDPOINTS",
    "PUSH_MAX_PAYLOAD",
    "PUSH_DECLARATIVE",
    "PUSH_SUBSCRIPTION_COLUMNS",
    "VAPID_PREVIOUS_PRIVATE_KEYS",
)
GOOD = {"VAPID_PRIVATE_KEY": PRIVATE, "VAPID_PUBLIC_KEY": PUBLIC, "VAPID_SUBJECT": "mailto:ops@pushmill.dev"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A correct environment, and no `.env` file."""
    monkeypatch.chdir(tmp_path)
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def pem(private: str) -> str:
    """A private key as people write PEM into a variable."""
    key = parse_private_key(private)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().replace("\n", "\\n")


def read() -> PushSettings:
    """The settings from the environment."""
    settings, _ = load(PushSettings, SubscriptionSettings)
    assert isinstance(settings, PushSettings)
    return settings


def faults() -> tuple[str, ...]:
    """The lines that the process ends with."""
    with pytest.raises(ConfigurationError) as caught:
        read()
    return caught.value.faults


def test_a_correct_environment_gives_a_signer_and_the_allowed_hosts(environment: pytest.MonkeyPatch) -> None:
    """The settings build what the sender needs; hosts are lower case and may be written with a wildcard."""
    environment.setenv("PUSH_ALLOWED_HOSTS", " Push.Example.com, *.ntfy.sh ,")
    environment.setenv("PUSH_ALLOW_LOCAL_ENDPOINTS", "true")

    settings = read()

    assert signers(settings)[0].header("https://ntfy.sh").endswith(f"k={PUBLIC}")
    assert allowed_hosts(settings).extra == ("push.example.com", "ntfy.sh")
    assert allowed_hosts(settings).local


def test_the_style_of_payloads(environment: pytest.MonkeyPatch) -> None:
    """By default what Firefox on Android accepts; Declarative Web Push must be asked for."""
    assert payload_style(read()) == PayloadStyle(2700, declarative=False)

    environment.setenv("PUSH_MAX_PAYLOAD", "3993")
    environment.setenv("PUSH_DECLARATIVE", "1")

    assert payload_style(read()) == PayloadStyle(3993, declarative=True)


def test_keys_of_earlier_pairs_sign_too(environment: pytest.MonkeyPatch) -> None:
    """The current one comes first; PEM is read among the others."""
    third, third_public = make_vapid_keys()
    environment.setenv("VAPID_PREVIOUS_PRIVATE_KEYS", f" {pem(OTHER_PRIVATE)} ,{third},")

    assert [PUBLIC, OTHER_PUBLIC, third_public] == [signer.public_key for signer in signers(read())]


def test_without_earlier_pairs_there_is_one_signer(environment: pytest.MonkeyPatch) -> None:
    """An empty variable counts as not set."""
    environment.setenv("VAPID_PREVIOUS_PRIVATE_KEYS", "")

    assert [PUBLIC] == [signer.public_key for signer in signers(read())]


def test_the_current_key_is_no_earlier_one(environment: pytest.MonkeyPatch) -> None:
    """An incomplete rotation is an error at start, however the key is written."""
    environment.setenv("VAPID_PREVIOUS_PRIVATE_KEYS", f"{OTHER_PRIVATE},{pem(PRIVATE)}")

    assert faults() == ("VAPID_PREVIOUS_PRIVATE_KEYS: has VAPID_PRIVATE_KEY's own key; give earlier ones only",)


def test_local_endpoints_are_off_by_default(environment: pytest.MonkeyPatch) -> None:
    """No push calls this machine by accident; an empty variable counts as not set."""
    environment.setenv("PUSH_ALLOW_LOCAL_ENDPOINTS", "")

    assert not allowed_hosts(read()).local


def test_all_three_vapid_variables_are_required_and_named_at_once(environment: pytest.MonkeyPatch) -> None:
    """One error has all that is missing."""
    for name in GOOD:
        environment.setenv(name, "")

    assert [f"{name}: not set, and required" for name in GOOD] == list(faults())


def test_keys_of_two_pairs_are_a_fault_of_the_public_key(environment: pytest.MonkeyPatch) -> None:
    """Such keys would fail at every push service: the process does not start."""
    environment.setenv("VAPID_PUBLIC_KEY", OTHER_PUBLIC)

    assert faults() == ("VAPID_PUBLIC_KEY: does not belong to VAPID_PRIVATE_KEY; set both from the same pair",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAPID_PRIVATE_KEY", PUBLIC),
        ("VAPID_PRIVATE_KEY", PRIVATE[:-2]),
        ("VAPID_PUBLIC_KEY", PUBLIC[:-1] + "."),
        ("VAPID_PUBLIC_KEY", OTHER_PRIVATE),
        ("VAPID_PREVIOUS_PRIVATE_KEYS", OTHER_PRIVATE[:-1]),
        ("VAPID_PREVIOUS_PRIVATE_KEYS", f"{OTHER_PRIVATE};{PRIVATE}"),
        ("VAPID_PREVIOUS_PRIVATE_KEYS", PUBLIC),
        ("VAPID_SUBJECT", "mailto:ops@localhost"),
        ("PUSH_MAX_PAYLOAD", "199"),
        ("PUSH_MAX_PAYLOAD", "3994"),
        ("PUSH_DECLARATIVE", "maybe"),
        ("PUSH_ALLOWED_HOSTS", "https://push.example.com"),
        ("PUSH_ALLOWED_HOSTS", "push.example.com:8443"),
        ("PUSH_ALLOWED_HOSTS", "com"),
        ("PUSH_ALLOWED_HOSTS", "10.0.0.1"),
        ("PUSH_ALLOWED_HOSTS", "localhost"),
    ],
)
def test_a_fault_names_its_variable_and_repeats_no_value(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """One wrong variable is one line, which begins with its name and holds no value of any variable."""
    environment.setenv(name, value)

    [line] = faults()

    assert line.startswith(f"{name}: ")
    assert not any(secret in line for secret in (value + " ", PRIVATE, PUBLIC, OTHER_PRIVATE))


def test_printing_the_settings_shows_no_private_key(environment: pytest.MonkeyPatch) -> None:
    """The private key is in no representation of the settings."""
    environment.setenv("VAPID_PREVIOUS_PRIVATE_KEYS", OTHER_PRIVATE)

    assert not any(secret in repr(read()) for secret in (PRIVATE, OTHER_PRIVATE))


def test_every_field_is_described() -> None:
    """The list of variables in the docs can be made from the class."""
    fields: dict[str, Any] = dict(PushSettings.model_fields)

    assert [] == [name for name, field in fields.items() if not field.description]


def test_the_columns_of_the_table_are_a_list_of_pairs(environment: pytest.MonkeyPatch) -> None:
    """Anything else is an error at start, with the right form."""
    environment.setenv("PUSH_SUBSCRIPTION_COLUMNS", "userId")

    assert faults() == (
        "PUSH_SUBSCRIPTION_COLUMNS: not a list of name=column pairs; it looks like userId=user_id,keys=keys",
    )

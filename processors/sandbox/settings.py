"""What the environment says about child processes, whatever feature runs them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.sandbox.limits import MEBIBYTE


class PlatformSettings(BaseSettings):
    """The platform's variables for finding programs, the only ones that a child process sees."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    path: str | None = None
    ld_library_path: str | None = None
    pythonhome: str | None = None

    def child_env(self) -> dict[str, str]:
        """The environment of a child process."""
        return {name.upper(): value for name, value in self.model_dump(exclude_none=True).items()}


class SandboxSettings(BaseSettings):
    """The memory of what is made for jobs."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    media_memory: int = Field(
        350,
        ge=128,
        description=(
            "MiB that all encoders of this process, and its mails with attachments, may use together, beyond the idle "
            "worker's memory. A task that does not fit now waits; one that can never fit fails."
        ),
    )

    def memory(self) -> int:
        """The same in bytes."""
        return self.media_memory * MEBIBYTE

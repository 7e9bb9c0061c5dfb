"""What the environment says to the child processes."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MediaSettings(BaseSettings):
    """The only variables that a child process sees: where to find Python's libraries, and nothing secret."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    path: str | None = Field(None, description="Where programs are found. The platform sets it.")
    ld_library_path: str | None = Field(None, description="Where libraries are found. The platform sets it.")
    pythonhome: str | None = Field(None, description="Where Python is installed. The platform sets it.")

    def child_env(self) -> dict[str, str]:
        """The environment of a child process."""
        return {name.upper(): value for name, value in self.model_dump(exclude_none=True).items()}

"""Every setting of the server, from the environment (`GUILDHOUSE_...`) or a file `.env`; all faults are told at once.

Each has a default that needs nothing. `guildhouse doctor` prints what is in force.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def default_data() -> Path:
    """Where data live: `/var/lib/guildhouse` for root, else the user's own share of XDG_DATA_HOME."""
    if os.geteuid() == 0:
        return Path("/var/lib/guildhouse")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "guildhouse"


class Config(BaseSettings):
    """The settings."""

    model_config = SettingsConfigDict(env_prefix="GUILDHOUSE_", env_file=".env", extra="ignore", frozen=True)

    data: Path = Field(default_factory=default_data, description="Directory of everything the server keeps.")
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "GUILDHOUSE_DATABASE_URL", "database_url"),
        description="An external PostgreSQL (>= 16). Without it the embedded one runs inside the data directory.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    base_url: str | None = Field(default=None, description="The address that people use, for links: https://...")
    name: str = Field(default="Guildhouse", max_length=80, description="The name of this community's server.")
    pool: int = Field(default=10, ge=2, le=500, description="Connections to the database, per process.")
    workers: Literal["inside", "none"] = Field(
        default="inside", description="Background tasks: inside the server, or only in `guildhouse work`."
    )
    max_body: int = Field(default=8_388_608, ge=1024, description="Largest body of a request, in bytes.")
    max_upload: int = Field(default=268_435_456, ge=1024, description="Largest NDJSON body of a batch, in bytes.")
    max_import: int = Field(default=1_073_741_824, ge=1024, description="Largest file of an import, in bytes.")
    keep_purged_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days that rows purged by schedule are kept as files for admins; 0: none.",
    )
    limits: float = Field(default=1, ge=0, description="Factor on the quotas of requests; 0 means no limits at all.")
    trust_proxy: bool = Field(
        default=False, description="Take the client's address from X-Forwarded-For: only behind a proxy of your own."
    )
    cors: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of browser apps that may call the API, comma-separated."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")
    slow_ms: int = Field(default=500, ge=1, description="Requests slower than this are logged, in milliseconds.")

    @field_validator("cors", mode="before")
    @classmethod
    def split_origins(cls, value: object) -> object:
        """`a,b` in the environment is two origins."""
        return tuple(each.strip() for each in value.split(",") if each.strip()) if isinstance(value, str) else value

    @property
    def address(self) -> str:
        """The address to show to people."""
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")


class ConfigError(Exception):
    """Settings are wrong; the message lists all of them with what to do."""


def load(**overrides: object) -> Config:
    """Read the settings; raises `ConfigError` with every fault."""
    try:
        return Config(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"  GUILDHOUSE_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        raise ConfigError("These settings are wrong:\n" + "\n".join(lines)) from error

"""Every setting of the server, from the environment (`GUILDHOUSE_...`) or a file `.env`; all faults are told at once.

Each has a default that needs nothing. `guildhouse doctor` prints what is in force.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from croniter import CroniterBadDateError, croniter
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def default_data() -> Path:
    """Where data live: `/var/lib/guildhouse` for root, else the user's own share of XDG_DATA_HOME."""
    if os.geteuid() == 0:
        return Path("/var/lib/guildhouse")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "guildhouse"


BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?")
KEEP = re.compile(r"[1-9]\d{0,3}[hdwmy]( [1-9]\d{0,3}[hdwmy])*")


def fault_of_place(place: str, *, has_key: bool) -> str | None:
    """What is wrong with the name of a place for files: a bucket has a name that S3 knows, and needs a key."""
    if "://" not in place:
        return None
    if not BUCKET.fullmatch(place):
        return f"{place} is neither a directory nor a bucket: write s3://bucket or s3://bucket/prefix"
    return None if has_key else "a bucket needs GUILDHOUSE_S3_KEY and GUILDHOUSE_S3_SECRET"


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
    s3_endpoint: str | None = Field(
        default=None, description="Where the S3-compatible storage is: https://... Without it, Amazon's own."
    )
    s3_region: str = Field(default="us-east-1", description="The region of that storage.")
    s3_key: str | None = Field(default=None, description="The id of the access key to that storage.")
    s3_secret: SecretStr | None = Field(default=None, description="The secret of that access key.")
    files: str | None = Field(
        default=None, description="Where files are kept: a directory, or s3://bucket/prefix. By default, in the data."
    )
    backups: str | None = Field(
        default=None, description="Where the server backs itself up to: a directory, or s3://bucket/prefix."
    )
    backup_schedule: str = Field(default="17 2 * * *", description="When it does: five fields of cron, in UTC.")
    backup_keep: str = Field(
        default="7d 4w 12m", description="Which backups stay: the newest of so many hours, days, weeks, months, years."
    )
    search_privacy: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="How many people must search the same before its words are shown to staff.",
    )
    pay_rates: Path | None = Field(
        default=None, description="A table of rates (TOML) that pay is compared by, instead of the one that ships."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")
    slow_ms: int = Field(default=500, ge=1, description="Requests slower than this are logged, in milliseconds.")

    @field_validator("cors", mode="before")
    @classmethod
    def split_origins(cls, value: object) -> object:
        """`a,b` in the environment is two origins."""
        return tuple(each.strip() for each in value.split(",") if each.strip()) if isinstance(value, str) else value

    @field_validator("s3_endpoint", "s3_key", "s3_secret", "files", "backups", "pay_rates", mode="before")
    @classmethod
    def empty_is_none(cls, value: object) -> object:
        """An empty value in the environment takes back one of `.env`."""
        return value or None

    @field_validator("files", "backups")
    @classmethod
    def is_place(cls, value: str | None, others: ValidationInfo) -> str | None:
        """A directory, or a bucket that one could come to."""
        has_key = bool(others.data.get("s3_key") and others.data.get("s3_secret"))
        if value and (fault := fault_of_place(value, has_key=has_key)):
            raise ValueError(fault)
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def is_address(cls, value: str | None) -> str | None:
        """An address without a path."""
        if value and not re.fullmatch(r"https?://[^/\s@]+/?", value):
            raise ValueError("write it as https://host or https://host:port")
        return value

    @field_validator("backup_schedule")
    @classmethod
    def is_schedule(cls, value: str) -> str:
        """Five fields of cron, of a time that comes round."""
        try:
            if len(value.split()) == 5 and croniter.is_valid(value) and croniter(value).get_next():
                return value
        except CroniterBadDateError as error:
            raise ValueError(f"`{value}` never comes: there is no such day") from error
        raise ValueError(f"`{value}` is not five fields of cron, such as `17 2 * * *`: every night at 2:17")

    @field_validator("backup_keep")
    @classmethod
    def is_rule(cls, value: str) -> str:
        """Numbers with units."""
        if not KEEP.fullmatch(value):
            raise ValueError(f"`{value}` is no rule: write numbers with h, d, w, m or y, such as `7d 4w 12m`")
        return value

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

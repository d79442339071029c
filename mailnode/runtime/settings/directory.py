"""``[directory]``: where users are kept, and how long an answer is believed."""

from __future__ import annotations

from pydantic import ConfigDict, Field, field_validator

from mailnode.runtime.settings.section import Section

_SCHEMES = ("mysql://", "mariadb://", "mysql+aiomysql://", "sqlite:///", "sqlite+aiosqlite:///")


class DirectorySettings(Section):
    """Database, cache and password rules. The addresses stay out of reprs and error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    urls: tuple[str, ...] = Field(
        ("sqlite:////var/lib/mailnode/directory.db",),
        repr=False,
        min_length=1,
        description="Database addresses, the preferred one first, the others for failover: "
        "sqlite:////absolute/path or mysql://user:password@host:port/name; options: "
        "unix_socket=/path, ssl_ca=/path, password_file=/path, password_env=NAME",
    )
    table_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9_]{0,32}$", description="PostfixAdmin's database_prefix"
    )
    create_schema: bool = Field(
        True, description="Make PostfixAdmin's tables in a database that is empty"
    )
    own_tables: bool = Field(
        True, description="Keep own tables (mailnode_...) in the database, for last logins"
    )
    connect_timeout_s: float = Field(3.0, gt=0, le=60, description="Wait for a connection")
    query_timeout_s: float = Field(
        5.0, gt=0, le=60, description="Wait for the answers that one question takes"
    )
    queue_timeout_s: float = Field(
        20.0,
        gt=0,
        le=300,
        description="Before that, wait so long for a turn while all connections are in use: a slow "
        "database or a busy machine makes clients wait rather than fail",
    )
    pool_size: int = Field(4, ge=1, le=64, description="Connections per worker and server")
    cache_s: float = Field(30.0, ge=0, description="Believe what was found for so long")
    cache_negative_s: float = Field(5.0, ge=0, description="Believe 'no such address' for so long")
    cache_entries: int = Field(20_000, ge=100, description="Answers kept per worker and kind")
    stale_s: float = Field(
        3600.0, ge=0, description="While no database answers, known answers go on for so long"
    )
    verified_s: float = Field(
        300.0, ge=0, description="A password found right is not hashed again for so long"
    )
    login_cache_s: float = Field(
        10.0,
        ge=0,
        description="Let a user in again with the same password without asking the database for so "
        "long; a changed password or a closed mailbox counts that much later for who was just let "
        "in. 0 asks each time",
    )
    usage_write_s: float = Field(
        5.0, gt=0, description="Collect changes of quota2 and last logins for so long"
    )
    hashing_at_once: int = Field(
        2, ge=1, le=64, description="Passwords hashed at once per worker (up to 256 MiB each)"
    )
    allow_weak_schemes: bool = Field(
        True, description="Accept MD5, SHA-1, DES and unhashed {PLAIN} passwords where marked so"
    )
    allow_bare_clear: bool = Field(
        False, description="Take a stored password without any marking as clear text"
    )
    rehash_at_login: bool = Field(
        False, description="Store passwords of older schemes as ARGON2ID at the next login"
    )
    scram_iterations: int = Field(
        20_000,
        ge=0,
        le=1_000_000,
        description="At a plain login keep keys for SCRAM, made with so many rounds of PBKDF2, in "
        "an own table; 0 keeps none. See login.offer_scram",
    )
    maildir_template: str = Field(
        "{domain}/{local}/",
        description="maildir column of new mailboxes; {domain}, {local} and {user} are filled in",
    )
    quota_multiplier: int = Field(
        1_024_000, ge=1, description="Bytes in PostfixAdmin's MB ($CONF['quota_multiplier'])"
    )

    @field_validator("urls")
    @classmethod
    def _known_scheme(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not all(url.startswith(_SCHEMES) for url in urls):
            raise ValueError("a database address starts with mysql:// or sqlite:///")
        return urls

    @field_validator("maildir_template")
    @classmethod
    def _fillable(cls, template: str) -> str:
        try:
            template.format(domain="d", local="l", user="u")
        except (KeyError, IndexError, ValueError):
            raise ValueError("may hold {domain}, {local} and {user} only") from None
        return template

"""PostfixAdmin's tables, schema version 1856, and our own beside them.

Promises: on MySQL the statements made from here give the same tables as PostfixAdmin's own
set-up does (a test compares them column by column).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, DateTime, MetaData, Table, Text, UniqueConstraint

from mailnode.directory import schema_other
from mailnode.directory.columns import (
    EPOCH,
    NOW,
    big,
    column,
    dates,
    index,
    integer,
    key,
    nullable,
    number,
    options,
    plain,
    primary,
    stamp,
    switch,
    utf8,
)

VERSION = "1856"
OWN_PREFIX = "mailnode_"


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables under one prefix that our code reads or writes; ``metadata`` holds all."""

    metadata: MetaData
    domain: Table
    mailbox: Table
    alias: Table
    alias_domain: Table
    admin: Table
    domain_admins: Table
    quota: Table
    quota2: Table
    app_password: Table
    totp_exception: Table
    log: Table
    config: Table
    vacation: Table
    vacation_notification: Table
    fetchmail: Table


def postfixadmin_tables(prefix: str = "") -> Tables:
    """All tables of schema 1856, named with ``prefix``."""
    meta = MetaData()
    schema_other.admin_preferences(meta, prefix)
    domain = _domain(meta, prefix)
    schema_other.dkim(meta, prefix)
    schema_other.dkim_signing(meta, prefix)
    return Tables(
        metadata=meta,
        domain=domain,
        mailbox=_mailbox(meta, prefix),
        alias=_alias(meta, prefix),
        alias_domain=_alias_domain(meta, prefix),
        admin=_admin(meta, prefix),
        domain_admins=_domain_admins(meta, prefix),
        quota=schema_other.quota(meta, prefix),
        quota2=_quota2(meta, prefix),
        app_password=_app_password(meta, prefix),
        totp_exception=_totp_exception(meta, prefix),
        log=_log(meta, prefix),
        config=_config(meta, prefix),
        vacation=schema_other.vacation(meta, prefix),
        vacation_notification=schema_other.vacation_notification(meta, prefix),
        fetchmail=schema_other.fetchmail(meta, prefix),
    )


def last_login_table() -> Table:
    """Our own: when (seconds since 1970) and from where each user was last let in."""
    return Table(
        f"{OWN_PREFIX}last_login",
        MetaData(),
        primary("username", key()),
        primary("service", plain(10)),
        column("at", big()),
        column("peer", plain(46)),
        **options("mailnode - last login of each user and service"),
    )


def scram_table() -> Table:
    """Our own: SCRAM keys, each with a fingerprint of the stored password they were made beside."""
    return Table(
        f"{OWN_PREFIX}scram",
        MetaData(),
        primary("username", key()),
        primary("mechanism", plain(20)),
        column("scram_keys", plain(700)),
        column("fingerprint", plain(64)),
        **options("mailnode - SCRAM keys of each user"),
    )


def _domain(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}domain",
        meta,
        primary("domain", key()),
        column("description", utf8()),
        column("aliases", integer(10), 0),
        column("mailboxes", integer(10), 0),
        column("maxquota", big(), 0),
        column("quota", big(), 0),
        column("transport", plain()),
        column("backupmx", switch(), 0),
        *dates(),
        column("active", switch(), 1),
        nullable("password_expiry", integer(), 0),
        **options("Postfix Admin - Virtual Domains"),
    )


def _person() -> list[Column[str]]:
    """What admins and mailboxes have in common."""
    return [
        column("phone", utf8(30), ""),
        column("email_other", utf8(), ""),
        column("token", utf8(), ""),
        column("token_validity", DateTime(), EPOCH),
    ]


def _mailbox(meta: MetaData, prefix: str) -> Table:
    name = f"{prefix}mailbox"
    return Table(
        name,
        meta,
        primary("username", key()),
        column("password", plain()),
        column("name", utf8()),
        column("maildir", plain()),
        column("quota", big(), 0),
        column("local_part", plain()),
        column("domain", key()),
        *dates(),
        column("active", switch(), 1),
        *_person(),
        column("password_expiry", DateTime(), EPOCH),
        nullable("totp_secret", utf8()),
        column("smtp_active", switch(), 1),
        *index(name, "domain", "domain"),
        **options("Postfix Admin - Virtual Mailboxes"),
    )


def _alias(meta: MetaData, prefix: str) -> Table:
    name = f"{prefix}alias"
    return Table(
        name,
        meta,
        primary("address", key()),
        column("goto", Text()),
        column("domain", key()),
        *dates(),
        column("active", switch(), 1),
        column("description", utf8(), ""),
        *index(name, "domain", "domain"),
        **options("Postfix Admin - Virtual Aliases"),
    )


def _alias_domain(meta: MetaData, prefix: str) -> Table:
    name = f"{prefix}alias_domain"
    return Table(
        name,
        meta,
        primary("alias_domain", key(), ""),
        column("target_domain", key(), ""),
        *dates(),
        column("active", switch(), 1),
        column("description", utf8(), ""),
        *index(name, "active", "active"),
        *index(name, "target_domain", "target_domain"),
        **options("Postfix Admin - Domain Aliases"),
    )


def _admin(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}admin",
        meta,
        primary("username", key()),
        column("password", plain()),
        *dates(),
        column("active", switch(), 1),
        column("superadmin", switch(), 0),
        *_person(),
        nullable("totp_secret", utf8()),
        **options("Postfix Admin - Virtual Admins"),
    )


def _domain_admins(meta: MetaData, prefix: str) -> Table:
    name = f"{prefix}domain_admins"
    return Table(
        name,
        meta,
        column("username", key()),
        column("domain", key()),
        column("created", DateTime(), EPOCH),
        column("active", switch(), 1),
        number(),
        *index(name, "username", "username"),
        *index(name, "idx_domadm_user_domain_active", "username", "domain", "active"),
        **options("Postfix Admin - Domain Admins"),
    )


def _quota2(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}quota2",
        meta,
        primary("username", key(100)),
        column("bytes", big(), 0),
        column("messages", integer(), 0),
        **options(),
    )


def _app_password(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}mailbox_app_password",
        meta,
        number(),
        nullable("username", key()),
        nullable("description", plain()),
        nullable("password_hash", plain()),
        **options(charset="utf8mb4"),
    )


def _totp_exception(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}totp_exception_address",
        meta,
        number(),
        column("ip", plain(46)),
        nullable("username", key()),
        nullable("description", plain()),
        column("created", stamp(), NOW),
        column("modified", stamp(), NOW),
        UniqueConstraint("ip", "username", name="ip_user"),
        **options(charset="utf8mb4"),
    )


def _log(meta: MetaData, prefix: str) -> Table:
    name = f"{prefix}log"
    return Table(
        name,
        meta,
        column("timestamp", DateTime(), EPOCH),
        column("username", key()),
        column("domain", key()),
        column("action", plain()),
        column("data", Text()),
        number(),
        *index(name, "timestamp", "timestamp"),
        *index(name, "domain_timestamp", "domain", "timestamp"),
        **options("Postfix Admin - Log"),
    )


def _config(meta: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}config",
        meta,
        number(),
        column("name", key(20, latin=True), ""),
        column("value", key(20, latin=True), ""),
        UniqueConstraint("name", name="name"),
        **options("PostfixAdmin settings", charset="utf8mb4"),
    )

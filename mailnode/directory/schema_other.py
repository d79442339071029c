"""Tables of PostfixAdmin that mailnode makes and cleans up, but does not live by."""

from __future__ import annotations

from sqlalchemy import DateTime, ForeignKeyConstraint, MetaData, Table, Text

from mailnode.directory.columns import (
    EPOCH,
    NOW,
    big,
    column,
    dates,
    enum,
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
    utf8_text,
)

_AUTH_KINDS = (
    *("password", "kerberos_v5", "kerberos", "kerberos_v4", "gssapi", "cram-md5"),
    *("otp", "ntlm", "msn", "ssh", "any"),
)


def admin_preferences(meta: MetaData, prefix: str) -> Table:
    """What admins chose in PostfixAdmin's pages."""
    return Table(
        f"{prefix}admin_preferences",
        meta,
        primary("username", key(), ""),
        primary("pref_key", plain(64), ""),
        column("pref_value", plain(2048), ""),
        **options(),
    )


def dkim(meta: MetaData, prefix: str) -> Table:
    """Keys of domains, as OpenDKIM's KeyTable."""
    name = f"{prefix}dkim"
    return Table(
        name,
        meta,
        number(),
        column("domain_name", key()),
        nullable("description", plain(), ""),
        column("selector", plain(63), "default"),
        nullable("private_key", Text()),
        nullable("public_key", Text()),
        *dates(),
        *index(name, "domain_name", "domain_name", "description"),
        ForeignKeyConstraint(
            ["domain_name"], [f"{prefix}domain.domain"], f"{name}_ibfk_1", ondelete="CASCADE"
        ),
        **options("Postfix Admin - OpenDKIM Key Table"),
    )


def dkim_signing(meta: MetaData, prefix: str) -> Table:
    """Who signs with which key, as OpenDKIM's SigningTable."""
    name = f"{prefix}dkim_signing"
    return Table(
        name,
        meta,
        number(),
        column("author", plain(), ""),
        column("dkim_id", integer()),
        *dates(),
        *index(name, "author", "author"),
        *index(name, "dkim_id", "dkim_id"),
        ForeignKeyConstraint(
            ["dkim_id"], [f"{prefix}dkim.id"], f"{name}_ibfk_1", ondelete="CASCADE"
        ),
        **options("Postfix Admin - OpenDKIM Signing Table"),
    )


def fetchmail(meta: MetaData, prefix: str) -> Table:
    """Remote mailboxes to be emptied into ours."""
    name = f"{prefix}fetchmail"
    return Table(
        name,
        meta,
        number(unsigned=True),
        column("mailbox", key()),
        column("src_server", plain()),
        nullable("src_auth", enum(*_AUTH_KINDS)),
        column("src_user", plain()),
        column("src_password", plain()),
        column("src_folder", plain()),
        column("poll_time", integer(unsigned=True), 10),
        column("fetchall", switch(unsigned=True), 0),
        column("keep", switch(unsigned=True), 0),
        nullable("protocol", enum("POP3", "IMAP", "POP2", "ETRN", "AUTO")),
        column("usessl", switch(unsigned=True), 0),
        nullable("extra_options", Text()),
        nullable("returned_text", Text()),
        nullable("mda", plain()),
        column("date", stamp(), EPOCH),
        column("sslcertck", switch(), 0),
        nullable("sslcertpath", utf8(), ""),
        nullable("sslfingerprint", plain(), ""),
        nullable("domain", key(), ""),
        column("active", switch(), 0),
        column("created", stamp(), EPOCH),
        column("modified", stamp(), NOW),
        column("src_port", integer(), 0),
        *index(name, "idx_fetchmail_domain", "domain"),
        **options(),
    )


def quota(meta: MetaData, prefix: str) -> Table:
    """Use as Dovecot before 1.2 wrote it."""
    return Table(
        f"{prefix}quota",
        meta,
        primary("username", key()),
        primary("path", plain(100)),
        column("current", big(), 0),
        **options(),
    )


def vacation(meta: MetaData, prefix: str) -> Table:
    """Answers sent while someone is away."""
    name = f"{prefix}vacation"
    return Table(
        name,
        meta,
        primary("email", key()),
        column("subject", utf8()),
        column("body", utf8_text()),
        column("cache", Text()),
        column("domain", key()),
        column("created", DateTime(), EPOCH),
        column("active", switch(), 1),
        column("modified", stamp(), NOW),
        column("activefrom", stamp(), EPOCH),
        column("activeuntil", stamp(), "2038-01-18 00:00:00"),
        column("interval_time", integer(), 0),
        *index(name, "email", "email"),
        **options("Postfix Admin - Virtual Vacation"),
    )


def vacation_notification(meta: MetaData, prefix: str) -> Table:
    """Who has had such an answer already."""
    return Table(
        f"{prefix}vacation_notification",
        meta,
        primary("on_vacation", key(latin=True)),
        primary("notified", key(latin=True), ""),
        column("notified_at", stamp(), NOW),
        ForeignKeyConstraint(
            ["on_vacation"],
            [f"{prefix}vacation.email"],
            f"{prefix}vacation_notification_pkey",
            ondelete="CASCADE",
        ),
        **options("Postfix Admin - Virtual Vacation Notifications", charset="utf8mb3"),
    )

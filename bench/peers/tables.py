"""The peer's users: the columns of PostfixAdmin's tables that Postfix and Dovecot ask for."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from bench.peers.mariadb import MariaDb
from bench.server import DOMAIN

_TABLES = """
create database mail;
use mail;
create table domain (domain varchar(255) primary key, active tinyint not null default 1);
create table mailbox (username varchar(255) primary key, password varchar(255) not null,
  maildir varchar(255) not null, quota bigint not null default 0, domain varchar(255) not null,
  active tinyint not null default 1, key (domain));
create table alias (address varchar(255) primary key, goto text not null,
  domain varchar(255) not null, active tinyint not null default 1);
create user mail@localhost identified by 'mail';
grant select on mail.* to mail@localhost;
"""


def crypt(password: str) -> str:
    """SHA512-CRYPT with its usual 5 000 rounds."""
    command = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    return "{SHA512-CRYPT}" + done.stdout.decode().strip()


def fill(database: MariaDb, users: Sequence[str], password: str) -> None:
    """Make the tables and these users."""
    hashed = crypt(password)
    boxes = ",\n".join(
        f"('{user}','{hashed}','{DOMAIN}/{user.partition('@')[0]}/','{DOMAIN}')" for user in users
    )
    aliases = ",\n".join(f"('{user}','{user}','{DOMAIN}')" for user in users)
    database.sql(
        f"{_TABLES}\nbegin;\ninsert into domain (domain) values ('{DOMAIN}');\n"
        f"insert into mailbox (username, password, maildir, domain) values {boxes};\n"
        f"insert into alias (address, goto, domain) values {aliases};\ncommit;\n"
    )

"""Mail clients from Debian and Python's own, against the real program over real sockets."""

from __future__ import annotations

import imaplib
import mailbox
import os
import poplib
import shutil
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest

from mailnode.admin.instance import Instance
from tests.support.terminal import Terminal

pytestmark = pytest.mark.e2e
Run = Callable[..., str]


def _tls(server: Instance) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.certificate)
    context.check_hostname = False
    return context


def _send(server: Instance, recipient: str, subject: str, body: str = "Hello.\n") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = server.users[0], recipient, subject
    message.set_content(body)
    host, port = server.address("submission")
    with smtplib.SMTP(host, port, timeout=30) as client:
        client.starttls(context=_tls(server))
        client.login(server.users[0], server.password)
        client.send_message(message)


def _inbox(server: Instance, user: str) -> imaplib.IMAP4_SSL:
    host, port = server.address("imaps")
    box = imaplib.IMAP4_SSL(host, port, ssl_context=_tls(server), timeout=30)
    box.login(user, server.password)
    box.select("INBOX")
    return box


def _subjects(server: Instance, user: str) -> list[bytes]:
    with _inbox(server, user) as box:
        _, found = box.uid("SEARCH", "ALL")
        if not found[0]:
            return []
        query = "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
        _, parts = box.uid("FETCH", found[0].replace(b" ", b",").decode(), query)
        return [part[1].strip() for part in parts if isinstance(part, tuple)]


def test_swaks_submits_over_starttls_and_implicit_tls(server: Instance, run: Run) -> None:
    user = server.users[1]
    for service, option in (("submission", "--tls"), ("submissions", "--tls-on-connect")):
        host, port = server.address(service)
        said = run(
            *("swaks", "--server", host, "--port", str(port), option, "--auth", "PLAIN"),
            *("--auth-user", user, "--auth-password", server.password, "--from", user),
            *("--to", user, "--header", f"Subject: by {service}"),
        )
        assert "250 " in said
    assert {b"Subject: by submission", b"Subject: by submissions"} <= set(_subjects(server, user))


def test_swaks_auth_login_and_a_wrong_password(server: Instance, run: Run) -> None:
    host, port = server.address("submission")
    base = ("swaks", "--server", host, "--port", str(port), "--tls", "--auth", "LOGIN")
    base += ("--from", server.users[0], "--to", server.users[0])
    run(*base, "--auth-user", server.users[0], "--auth-password", server.password)
    said = run(*base, "--auth-user", server.users[0], "--auth-password", "wrong", fails=True)
    assert "535" in said


def test_swaks_delivers_by_mx_and_is_refused_as_relay(server: Instance, run: Run) -> None:
    host, port = server.address("smtp")
    base = ("swaks", "--server", host, "--port", str(port), "--from", "x@elsewhere.test")
    run(*base, "--to", server.users[2], "--header", "Subject: from outside", "--pipeline")
    assert b"Subject: from outside" in _subjects(server, server.users[2])
    for address in ("y@elsewhere.test", "y%elsewhere.test@example.test", "@a,@b:y@elsewhere.test"):
        assert "Sent" not in run(*base, "--to", address, fails=True)


def test_swaks_delivers_by_lmtp(server: Instance, run: Run) -> None:
    host, port = server.address("lmtp")
    said = run(
        *("swaks", "--protocol", "LMTP", "--server", host, "--port", str(port)),
        *("--from", "x@elsewhere.test", "--to", server.users[2], "--header", "Subject: by lmtp"),
    )
    assert "250 " in said
    assert b"Subject: by lmtp" in _subjects(server, server.users[2])


def test_mbsync_two_ways_and_nothing_the_second_time(
    server: Instance, run: Run, tmp_path: Path
) -> None:
    user = server.users[3]
    for number in range(5):
        _send(server, user, f"to sync {number}")
    host, port = server.address("imaps")
    local = tmp_path / "local"
    local.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f'IMAPAccount a\nHost {host}\nPort {port}\nUser {user}\nPass "{server.password}"\n'
        f"SSLType IMAPS\nCertificateFile {server.certificate}\nAuthMechs PLAIN\n\n"
        f"IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nSubFolders Maildir++\nInbox {local}/\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\n"
        "Expunge Both\nSyncState *\n"
    )
    run("mbsync", "-c", str(config), "-a")
    assert len(mailbox.Maildir(str(local), create=False)) == 5

    near = mailbox.Maildir(str(local), create=False)
    keys = sorted(near.keys())
    near.remove(keys[0])
    flagged = near[keys[1]]
    flagged.add_flag("F")  # type: ignore[attr-defined]
    near[keys[1]] = flagged
    near.add(b"From: me@example.test\nSubject: written here\n\nLocal.\n")
    run("mbsync", "-c", str(config), "-a")
    with _inbox(server, user) as box:
        assert len(box.uid("SEARCH", "ALL")[1][0].split()) == 5
        assert len(box.uid("SEARCH", "FLAGGED")[1][0].split()) == 1
        assert len(box.uid("SEARCH", "SUBJECT", '"written here"')[1][0].split()) == 1

    before = _tree(local), _figures(server, user)
    run("mbsync", "-c", str(config), "-a")
    assert (_tree(local), _figures(server, user)) == before


def _figures(server: Instance, user: str) -> list[bytes]:
    with _inbox(server, user) as box:
        return [
            box.status(name, "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")[1][0]
            for name in ("INBOX", "Archive", "Drafts", "Sent", "Trash")
        ]


def _tree(root: Path) -> set[str]:
    found = set()
    for folder, _, names in os.walk(root):
        if os.path.basename(folder) in ("cur", "new"):
            found |= {os.path.join(folder, name) for name in names}
    return found


@pytest.mark.parametrize(("program", "number"), [("mutt", 4), ("neomutt", 11)])
def test_mutt_reads_flags_and_saves_in_batch(
    server: Instance, run: Run, tmp_path: Path, program: str, number: int
) -> None:
    user = server.users[number]
    _send(server, user, "for mutt")
    host, port = server.address("imaps")
    rc = tmp_path / "muttrc"
    rc.write_text(
        f'set folder="imaps://{host}:{port}"\n'
        f'set imap_user="{user}"\nset imap_pass="{server.password}"\n'
        f"set certificate_file={server.certificate}\nset ssl_starttls=no\n"
        "set ssl_verify_host=no\nset move=no\nset confirmappend=no\nset confirmcreate=no\n"
        "set quit=yes\nset delete=yes\nset wait_key=no\n"
    )
    url = f"imaps://{host}:{port}"
    keys = "push '<flag-message><copy-message>=Archive<enter><quit>'\n"
    run("script", "-qec", f'{program} -F {rc} -e "{keys.strip()}" -f {url}/INBOX', "/dev/null")
    with _inbox(server, user) as box:
        assert len(box.uid("SEARCH", "FLAGGED")[1][0].split()) == 1
        assert box.select("Archive")[1] == [b"1"]


def test_offlineimap_two_ways_and_nothing_the_second_time(
    server: Instance, run: Run, tmp_path: Path
) -> None:
    user = server.users[2]
    for number in range(3):
        _send(server, user, f"offline {number}")
    _, port = server.address("imaps")
    local = tmp_path / "mail"
    rc = tmp_path / "offlineimaprc"
    rc.write_text(
        f"[general]\naccounts = a\nmetadata = {tmp_path}/meta\n"
        "[Account a]\nlocalrepository = near\nremoterepository = far\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {local}\n"
        f"[Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\n"
        f"remoteuser = {user}\nremotepass = {server.password}\nssl = yes\n"
        f"sslcacertfile = {server.certificate}\n"
    )
    sync = ("offlineimap", "-c", str(rc), "-o", "-u", "basic")
    run(*sync)
    near = mailbox.Maildir(str(local / "INBOX"), create=False)
    before = _subjects(server, user)
    assert sorted(f"Subject: {one['Subject']}".encode() for one in near) == sorted(before)
    near.remove(sorted(near.keys())[0])
    near.add(b"From: me@example.test\nSubject: written here\n\nLocal.\n")
    run(*sync)
    after = _subjects(server, user)
    assert len(after) == len(before)
    assert b"Subject: written here" in after
    run(*sync)  # Brings the new message's name with its UID into line.
    settled = _tree(local), _figures(server, user)
    run(*sync)
    assert (_tree(local), _figures(server, user)) == settled


def test_aerc_reads_flags_copies_and_moves(server: Instance, tmp_path: Path) -> None:
    if shutil.which("aerc") is None:
        pytest.skip("aerc is not installed: run scripts/test")
    user = server.users[12]
    _send(server, user, "for aerc")
    _, port = server.address("imaps")
    accounts = tmp_path / ".config" / "aerc" / "accounts.conf"
    accounts.parent.mkdir(parents=True)
    accounts.write_text(
        f"[a]\nsource = imaps://{quote(user, safe='')}:{server.password}@localhost:{port}\n"
        f"from = Me <{user}>\ndefault = INBOX\ncache-headers = false\n"
    )
    accounts.chmod(0o600)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm"}
    environment |= {"LC_ALL": "C.UTF-8", "SSL_CERT_FILE": server.certificate}
    with Terminal(["aerc"], environment) as aerc:
        aerc.until("for aerc")
        aerc.type(":flag\r")
        aerc.until("flagged")
        aerc.type(":cp Archive\r")
        aerc.until("opied.")  # It draws only the letters that changed.
        aerc.type(":mv Trash\r")
        aerc.until("moved")
        aerc.type(":quit\r")
        aerc.ended()
    assert b"Subject: for aerc" not in _subjects(server, user)
    with _inbox(server, user) as box:
        for folder in ("Archive", "Trash"):
            box.select(folder)
            assert len(box.uid("SEARCH", "FLAGGED")[1][0].split()) == 1


def test_fetchmail_by_pop3_and_imap(server: Instance, run: Run, tmp_path: Path) -> None:
    user = server.users[5]
    for number, (service, protocol) in enumerate((("pop3s", "pop3"), ("imaps", "imap"))):
        _send(server, user, f"for fetchmail {number}")
        host, port = server.address(service)
        rc = tmp_path / f"fetchmailrc{number}"
        rc.write_text(
            f'poll {host} protocol {protocol} port {port} username "{user}" '
            f'password "{server.password}" ssl sslcertfile {server.certificate} no sslcertck '
            f'mda "cat >> {tmp_path}/got" fetchall\n'
        )
        rc.chmod(0o600)
        run("fetchmail", "-f", str(rc), "--nosyslog", "-v", "--pidfile", str(tmp_path / "pid"))
        assert f"for fetchmail {number}" in (tmp_path / "got").read_text()
        assert _subjects(server, user) == []


def test_getmail_by_pop3(server: Instance, run: Run, tmp_path: Path) -> None:
    user = server.users[6]
    _send(server, user, "for getmail")
    host, port = server.address("pop3s")
    got = tmp_path / "got"
    (tmp_path / "getmail").mkdir()
    # As root getmail hands over to programs only, and only when allowed to.
    (tmp_path / "getmail" / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = {host}\nport = {port}\n"
        f"username = {user}\npassword = {server.password}\n"
        f'[destination]\ntype = MDA_external\npath = /usr/bin/tee\narguments = ("{got}",)\n'
        "allow_root_commands = true\n[options]\ndelete = true\n"
    )
    run("getmail", "--getmaildir", str(tmp_path / "getmail"), "--rcfile", "getmailrc")
    assert "Subject: for getmail" in got.read_text()
    assert _subjects(server, user) == []


def test_curl_sends_and_reads(server: Instance, run: Run, tmp_path: Path) -> None:
    user = server.users[7]
    letter = tmp_path / "letter"
    letter.write_bytes(f"From: {user}\r\nTo: {user}\r\nSubject: by curl\r\n\r\nHi.\r\n".encode())
    tls = (
        "--cacert",
        server.certificate,
        "--insecure",
        "-sS",
        "--user",
        f"{user}:{server.password}",
    )
    host, port = server.address("submissions")
    run(
        *("curl", *tls, f"smtps://{host}:{port}", "--mail-from", user, "--mail-rcpt", user),
        *("--upload-file", str(letter)),
    )
    host, port = server.address("imaps")
    assert "Subject: by curl" in run("curl", *tls, f"imaps://{host}:{port}/INBOX;MAILINDEX=1")
    assert "Subject: by curl" in run(
        "curl", *tls, f"pop3s://{server.address('pop3s')[0]}:{server.address('pop3s')[1]}/1"
    )


def test_poplib_over_stls(server: Instance) -> None:
    user = server.users[8]
    _send(server, user, "for poplib", "line\n.dot\n..dots\n")
    host, port = server.address("pop3")
    box = poplib.POP3(host, port, timeout=30)
    box.stls(_tls(server))
    box.user(user)
    box.pass_(server.password)
    count, octets = box.stat()
    lines = box.retr(1)[1]
    assert count == 1
    assert sum(len(line) + 2 for line in lines) == octets
    assert lines[-3:] == [b"line", b".dot", b"..dots"]
    first = box.uidl()[1]
    box.quit()
    again = poplib.POP3_SSL(*server.address("pop3s"), timeout=30, context=_tls(server))
    again.user(user)
    again.pass_(server.password)
    assert again.uidl()[1] == first
    again.quit()


def test_every_stored_message_is_read_by_the_stdlib(server: Instance) -> None:
    user = server.users[9]
    for number in range(3):
        _send(server, user, f"stored {number}")
    local, _, domain = user.partition("@")
    stored = mailbox.Maildir(str(Path(server.folder) / "mail" / domain / local), create=False)
    assert sorted(message["Subject"] for message in stored) == [f"stored {n}" for n in range(3)]


def test_a_large_message_goes_through_whole(server: Instance) -> None:
    user = server.users[10]
    body = "".join(f"{number:070d}\n" for number in range(100_000))
    _send(server, user, "large", body)
    with _inbox(server, user) as box:
        _, parts = box.uid("FETCH", "1:*", "(BODY.PEEK[TEXT])")
    assert parts[0][1].replace(b"\r\n", b"\n").decode().strip() == body.strip()

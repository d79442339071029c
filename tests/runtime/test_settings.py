"""Settings: one file, all errors at once, nothing secret in a message."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.model.errors import BadSettings
from mailnode.runtime.endpoint import Endpoint, parse_endpoint
from mailnode.runtime.settings.load import Settings, load_settings
from mailnode.runtime.settings.template import template

COMMITTED = Path(__file__).parents[2] / "config" / "mailnode.toml"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "mailnode.toml"
        path.write_text(text)
        return path

    return write


def _errors(path: Path) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        load_settings(path)
    return str(caught.value).splitlines()


def test_committed_template_is_what_the_sections_say() -> None:
    assert COMMITTED.read_text() == template(), (
        "run `python -m mailnode.runtime.settings.template` and commit config/mailnode.toml"
    )


def test_committed_template_loads_and_changes_nothing() -> None:
    assert load_settings(COMMITTED) == load_settings()


def test_every_line_of_the_template_may_be_uncommented(write: Write) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", template(), flags=re.M)
    assert text.count("\n# ") < template().count("\n# ") - 50
    settings = load_settings(write(text))
    assert settings.log.file == Path("/var/log/mailnode/mail.log")
    defaults = load_settings()
    assert settings.model_copy(update={"log": defaults.log}) == defaults


def test_every_key_is_described() -> None:
    for section in Settings.model_fields.values():
        assert section.annotation
        assert section.annotation.__doc__
        for key, field in section.annotation.model_fields.items():
            assert field.description, f"{section.annotation.__name__}.{key}"


def test_overrides_lie_over_the_file_key_by_key(write: Write) -> None:
    path = write('[server]\nworkers = 3\nnode = "a"\n[listen]\nimap = []\n')
    settings = load_settings(path, {"server": {"workers": 5}, "listen": {"pop3": ["[::1]:0"]}})
    assert (settings.server.workers, settings.server.node) == (5, "a")
    assert settings.listen.imap == ()
    assert settings.listen.pop3 == (Endpoint("::1", 0),)


def test_a_key_of_an_earlier_version_is_passed_over(write: Write) -> None:
    found = load_settings(write("[storage]\nquota_recheck_s = 60\nopen_folders = 9\n"))
    assert found.storage.open_folders == 9


def test_all_errors_are_told_one_line_each(write: Write) -> None:
    lines = _errors(
        write(
            '[server]\nworkerz = 3\nthreads = "many"\ndrain_s = -1\nhostname = "a b"\n'
            '[listen]\nsmtp = ["*:25", "foo"]\nimap = 3\n[lisen]\nx = 1\n'
            '[log]\nformat = "xml"\ndestination = "file"\n[tls]\nmin_version = "1.0"\n'
        )
    )
    text = "\n".join(lines)
    assert all("mailnode.toml: [" in line for line in lines)
    for said in (
        '[server] workerz: unknown key; did you mean "workers"?',
        '[server] threads = "many": must be a whole number; default is 8',
        "[server] drain_s = -1: must be greater than 0; default is 20.0",
        '[server] hostname = "a b": not a host name',
        '[listen] smtp item 2 = "foo": bad address, write "host:port"',
        "[listen] imap = 3: must be a list",
        '[lisen]: unknown section; did you mean "listen"?',
        "[log] format = \"xml\": must be 'logfmt' or 'json'",
        "[tls] min_version = \"1.0\": must be '1.2' or '1.3'",
    ):
        assert said in text
    assert len(lines) == 9


@pytest.mark.parametrize("key", ["[smtp]\nmax_message_bytes", "[imap]\nmax_append_bytes"])
def test_messages_are_no_larger_than_imap_can_tell(write: Write, key: str) -> None:
    load_settings(write(f"{key} = 2_000_000_000"))
    assert "less than or equal to 2000000000" in _errors(write(f"{key} = 2_000_000_001"))[0]


@pytest.mark.parametrize("names", ['"Public"', '"inbox"', '"a/b"', '"a*"'])
def test_prefixes_of_shared_mailboxes_are_apart(write: Write, names: str) -> None:
    assert len(_errors(write(f"[imap]\nothers_prefix = {names}"))) == 1
    load_settings(write('[imap]\nothers_prefix = ""\npublic_prefix = ""'))


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ('imap = ["*:993"]', "imap and imaps both listen on *:993"),
        ('smtp = ["0.0.0.0:587"]', "smtp and submission both listen on *:587"),
        ('pop3 = ["[::1]:7"]\npop3s = ["[::1]:7"]', "pop3 and pop3s both listen on [::1]:7"),
        ('smtp = ["/run/x"]\nlmtp = ["/run/x"]', "smtp and lmtp both listen on /run/x"),
    ],
)
def test_no_two_services_listen_on_one_address(write: Write, listen: str, said: str) -> None:
    path = write(f"[listen]\n{listen}\n")
    assert _errors(path) == [f"{path}: [listen]: {said}"]


def test_services_may_share_a_port_on_different_addresses(write: Write) -> None:
    load_settings(write('[listen]\nsmtp = ["192.0.2.1:25", "[::1]:0"]\nlmtp = ["127.0.0.1:25"]\n'))
    load_settings(write('[listen]\nimap = ["127.0.0.1:0"]\nimaps = ["127.0.0.1:0"]\n'))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("server", "mail_dir", '"/a\\u0000b"'), ("directory", "urls", '["sqlite:////a\\u0000b"]')],
)
def test_a_nul_is_told_by_its_key(write: Write, section: str, key: str, value: str) -> None:
    (said,) = _errors(write(f"[{section}]\n{key} = {value}\n"))
    assert f"[{section}] {key} = " in said
    assert "must not hold a NUL character" in said


@pytest.mark.parametrize("value", ["inf", "1e400", "nan"])
def test_no_time_is_without_end(write: Write, value: str) -> None:
    (said,) = _errors(write(f"[storage]\nlock_timeout_s = {value}\n"))
    assert "[storage] lock_timeout_s = " in said
    assert ": must be " in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[directory]\nurls = []", "urls = []: must have at least 1 item, not 0; default is"),
        ('[listen]\nunix_mode = "999"', "unix_mode = \"999\": must match pattern '^0?[0-7]{3}$'"),
    ],
)
def test_errors_are_sentences(write: Write, text: str, said: str) -> None:
    (line,) = _errors(write(f"{text}\n"))
    assert said in line


def test_destination_file_wants_a_file(write: Write) -> None:
    assert _errors(write('[log]\ndestination = "file"\n')) == [
        f'{write("[log]")}: [log]: destination "file" needs a path: '
        'file = "/var/log/mailnode/mail.log"'
    ]


def test_section_that_is_no_table(write: Write) -> None:
    (line,) = _errors(write("server = 3\n"))
    assert "[server] = 3: must be a section" in line


def test_file_that_is_not_there_or_no_toml(tmp_path: Path, write: Write) -> None:
    assert "no such file; make one" in _errors(tmp_path / "none.toml")[0]
    assert "not TOML" in _errors(write("[server\n"))[0]
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in _errors(tmp_path / "binary.toml")[0]
    assert "cannot be read: Is a directory" in _errors(tmp_path)[0]


def test_secrets_are_in_no_message_and_no_repr(write: Write) -> None:
    (line,) = _errors(write('[directory]\nurls = ["mongo://root:hunter2@db/x"]\n'))
    assert "hunter2" not in line
    assert "mongo://root:***@db/x" in line
    settings = load_settings(overrides={"directory": {"urls": ["mysql://u:hunter2@db/x"]}})
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("*:25", Endpoint("*", 25)),
        ("127.0.0.1:0", Endpoint("127.0.0.1", 0)),
        ("[::]:993", Endpoint("::", 993)),
        ("localhost:65535", Endpoint("localhost", 65535)),
        ("/run/mailnode/lmtp.sock", Endpoint(path="/run/mailnode/lmtp.sock")),
    ],
)
def test_endpoint_there_and_back(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize("text", ["", "25", "host", "::1:25", "a:65536", "a:-1", "/" + "x" * 107])
def test_bad_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match=r"bad address|longer than|larger than"):
        parse_endpoint(text)


def test_names_default_to_the_machine_and_are_folded() -> None:
    server = load_settings(overrides={"server": {"hostname": "Mail.Example.ORG."}}).server
    assert server.hostname == "mail.example.org"
    assert re.fullmatch(r"[A-Za-z0-9._-]+", server.node)
    assert server.worker_count >= 1

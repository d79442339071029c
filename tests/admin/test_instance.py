import tomllib
from pathlib import Path

from mailnode.admin.instance import Instance, kept_password, settings_text, user_names


def test_facts_read_back() -> None:
    told = Instance(
        pid=7,
        folder="/d",
        domain="example.test",
        users=("user1@example.test",),
        password="p",
        certificate="/d/c.pem",
        database="sqlite:////d/db",
        services={"imap": ("127.0.0.1", 143), "imaps": ("127.0.0.1", 993)},
    )
    assert Instance.from_json(told.to_json()) == told


def test_the_password_is_made_once_and_private(tmp_path: Path) -> None:
    first = kept_password(tmp_path)
    assert kept_password(tmp_path) == first
    assert len(first) >= 12
    assert (tmp_path / "password").stat().st_mode & 0o077 == 0


def test_settings_text_is_toml() -> None:
    values = {"a": {"text": 'with "quotes"', "number": 3, "on": True, "list": ["x", "y"]}}
    assert tomllib.loads(settings_text(values, ["heading"])) == values


def test_users_are_numbered_from_one() -> None:
    assert user_names(2) == ["user1@example.test", "user2@example.test"]

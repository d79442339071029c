"""Roundcube from Debian in a real browser: what people do all day, against the real program.

Set MAILNODE_PICTURES to a folder to keep the pictures that the documentation shows.
"""

from __future__ import annotations

import imaplib
import os
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mailnode.admin.instance import Instance
from tests.support.roundcube import BROWSER, missing, roundcube

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
# Alone on this machine: no sandbox as root, and none of the browser's own calls to the outside.
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PATIENCE_MS = 60_000
SUBJECT = "Grüße aus Roundcube"


@pytest.fixture(scope="module")
def address(server: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if missing():
        pytest.skip(f"{missing()}: not installed; run scripts/test")
    with roundcube(server, tmp_path_factory.mktemp("roundcube") / "r") as found:
        yield found


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1100, "height": 640})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        yield page
        browser.close()


def _picture(page: Page, name: str) -> None:
    folder = os.environ.get("MAILNODE_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"roundcube-{name}.png")


def _letters(server: Instance, user: str, count: int) -> None:
    with smtplib.SMTP(*server.address("smtp"), timeout=30) as client:
        for number in range(count):
            client.sendmail(
                "anna@elsewhere.test",
                [user],
                f"From: Anna Beispiel <anna@elsewhere.test>\r\nTo: {user}\r\n"
                f"Subject: Letter number {number}\r\n"
                f"Date: Tue, 24 Nov 2026 10:0{number}:00 +0000\r\n"
                f"Message-ID: <{number}@elsewhere.test>\r\n\r\nHello, this is letter {number}.\r\n",
            )


def _log_in(page: Page, user: str, password: str) -> None:
    page.fill("#rcmloginuser", user)
    page.fill("#rcmloginpwd", password)
    page.click("#rcmloginsubmit")


def _row(page: Page, subject: str) -> str:
    selector = f"#messagelist tr.message:has-text({subject!r})"
    page.wait_for_selector(selector)
    return selector


def _read(page: Page, subject: str) -> str:
    page.click(_row(page, subject))
    body = page.frame_locator("#messagecontframe").locator("#messagebody")
    body.wait_for()
    page.wait_for_function("!rcmail.busy")
    return body.inner_text()


def _write(page: Page, recipient: str) -> None:
    page.click("#taskmenu a.compose")
    page.wait_for_selector("#composebody")
    page.fill("#compose_to input", recipient)
    page.keyboard.press("Tab")
    page.fill("#compose-subject", SUBJECT)
    page.fill("#composebody", "Ein Brief über den Browser.\n.\nMit einem Punkt.\n")
    _picture(page, "compose")
    page.click("#toolbar-menu a.send, .toolbar a.send, .formbuttons button.send >> nth=0")
    page.wait_for_selector("#messagelist")


def test_wrong_password_is_told(server: Instance, page: Page) -> None:
    _log_in(page, server.users[0], "wrong")
    page.wait_for_selector("#messagestack div.error, #messagestack div.warning")


def test_a_day_in_the_browser(server: Instance, page: Page) -> None:
    user = server.users[1]
    _letters(server, user, 5)
    _log_in(page, user, server.password)
    _row(page, "Letter number 4")
    names = page.locator("#mailboxlist li a").all_inner_texts()
    assert [name.rstrip("0123456789") for name in names][:5] == [
        "Inbox",
        "Drafts",
        "Sent",
        "Junk",
        "Trash",
    ]
    assert "Hello, this is letter 3." in _read(page, "Letter number 3")
    _picture(page, "read")

    _write(page, user)
    page.goto(page.url.partition("?")[0] + "?_task=mail&_mbox=INBOX")
    text = _read(page, SUBJECT)
    assert "Ein Brief über den Browser.\n.\nMit einem Punkt." in text

    page.fill("#mailsearchform", "NUMBER 2")
    page.press("#mailsearchform", "Enter")
    page.wait_for_selector("#messagelist tr.message:has-text('Letter number 4')", state="detached")
    _read(page, "Letter number 2")
    assert page.locator("#messagelist tr.message").count() == 1
    _picture(page, "search")
    page.click("a.button.reset")

    _read(page, "Letter number 1")  # It takes no command while it loads.
    page.click("#layout-content a.archive:not(.disabled)")
    page.wait_for_selector("#messagelist tr.message:has-text('Letter number 1')", state="hidden")
    _read(page, "Letter number 0")
    page.click("#layout-content a.delete:not(.disabled)")
    page.wait_for_selector("#messagelist tr.message:has-text('Letter number 0')", state="hidden")
    _folders(page)
    _check(server, user)


def _folders(page: Page) -> None:
    """Make a folder, give it a parent and another name, delete it."""
    page.goto(page.url.partition("?")[0] + "?_task=settings&_action=folders")
    page.click("a.create:not(.disabled)")
    frame = page.frame_locator("#preferences-frame")
    frame.locator("input[name=_name]").fill("Größe & mehr")
    frame.locator("button.submit").click()
    row = "#subscription-table li:has-text('Größe & mehr')"
    page.wait_for_selector(row)
    page.click(f"{row} >> a")
    name = frame.locator("input[name=_name]")
    name.wait_for()
    name.fill("Weniger")
    _picture(page, "folders")
    frame.locator("button.submit").click()
    page.wait_for_selector("#subscription-table li:has-text('Weniger')")
    page.click("#subscription-table li:has-text('Weniger') >> a")
    frame.locator("input[name=_name]").wait_for()
    page.click("a.delete:not(.disabled)")
    page.click(".ui-dialog button.delete, .ui-dialog button.mainaction")
    page.wait_for_selector("#subscription-table li:has-text('Weniger')", state="detached")


def _check(server: Instance, user: str) -> None:
    host, port = server.address("imaps")
    context = ssl.create_default_context(cafile=server.certificate)
    context.check_hostname = False
    with imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=30) as box:
        box.login(user, server.password)
        found = {}
        for name in ("INBOX", "Archive", "Trash", "Sent"):
            box.select(name, readonly=True)
            found[name] = len(box.search(None, "ALL")[1][0].split())
        box.select("INBOX", readonly=True)
        assert box.search(None, "SEEN")[1] != [b""]
    assert found == {"INBOX": 4, "Archive": 1, "Trash": 1, "Sent": 1}

"""The texts of replies, in the languages that LANG knows.

Promises: an unknown text stays English; without UTF-8 a text is ASCII.
RFC: 6856 3 (LANG), 4647 3.4 (which language is meant), 5646 (names of languages).
"""

from __future__ import annotations

import re

DEFAULT = "en"
LANGUAGES = {"en": "English", "de": "Deutsch"}
_RANGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,15}")
_NUMBER = re.compile(r"\d+")
# "#" stands for a number.
_GERMAN = {
    "# messages": "# Nachrichten",
    "# messages (# octets)": "# Nachrichten (# Oktette)",
    "# octets": "# Oktette",
    "AUTH needs a mechanism and no more than one response": (
        "AUTH braucht ein Verfahren und höchstens eine Antwort"
    ),
    "TLS is already on": "TLS ist schon an",
    "TOP needs a message and a number of lines": "TOP braucht eine Nachricht und eine Zeilenzahl",
    "USER needs a name": "USER braucht einen Namen",
    "UTF-8 it is": "ab jetzt UTF-8",
    "authentication cancelled": "Anmeldung abgebrochen",
    "authentication data too long": "Anmeldedaten zu lang",
    "authentication failed": "Anmeldung fehlgeschlagen",
    "authentication takes too many steps": "Anmeldung braucht zu viele Schritte",
    "begin TLS now": "jetzt mit TLS beginnen",
    "bye": "auf Wiedersehen",
    "command is not UTF-8": "Befehl ist kein UTF-8",
    "control character in command": "Steuerzeichen im Befehl",
    "invalid authentication data": "ungültige Anmeldedaten",
    "language changed": "Sprache gewechselt",
    "languages follow": "Sprachen folgen",
    "line too long": "Zeile zu lang",
    "log in first": "zuerst anmelden",
    "mail storage is full, try again later": "Mailspeicher ist voll, später erneut versuchen",
    "mail storage is not available, try again later": (
        "Mailspeicher ist nicht verfügbar, später erneut versuchen"
    ),
    "message # deleted": "Nachricht # gelöscht",
    "message # is deleted": "Nachricht # ist gelöscht",
    "message no longer exists": "Nachricht gibt es nicht mehr",
    "no arguments allowed": "keine Argumente erlaubt",
    "no command": "kein Befehl",
    "no login in time": "keine Anmeldung in der vorgesehenen Zeit",
    "no such channel binding here": "diese Kanalbindung gibt es hier nicht",
    "no such language": "diese Sprache gibt es hier nicht",
    "no such mechanism": "dieses Verfahren gibt es hier nicht",
    "no such message": "diese Nachricht gibt es nicht",
    "not allowed in authorization state": "vor der Anmeldung nicht erlaubt",
    "not allowed in transaction state": "nach der Anmeldung nicht erlaubt",
    "not allowed to act as another user": "nicht berechtigt, für jemand anderen zu handeln",
    "send PASS": "jetzt PASS",
    "send USER first": "zuerst USER",
    "server is busy, try later": "Server ist ausgelastet, später erneut versuchen",
    "some deleted messages were not removed": "manche gelöschten Nachrichten wurden nicht entfernt",
    "temporary failure, try again later": "vorübergehender Fehler, später erneut versuchen",
    "the server is going down, connect again": "der Server wird beendet, neu verbinden",
    "this server was replaced, connect again": "dieser Server wurde abgelöst, neu verbinden",
    "too many connections of this user": "zu viele Verbindungen dieses Benutzers",
    "too many wrong commands": "zu viele falsche Befehle",
    "top of message": "Anfang der Nachricht",
    "unknown command": "unbekannter Befehl",
    "use STLS first": "zuerst STLS",
    "user directory is not available, try again later": (
        "Benutzerverzeichnis ist nicht verfügbar, später erneut versuchen"
    ),
}
_TEXTS = {
    "de": {_NUMBER.sub("#", key): _NUMBER.sub("#", text) for key, text in _GERMAN.items()},
}
_ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)


def chosen_language(wanted: str) -> str | None:
    """The language that a client's choice means (``*``: ours); ``None`` for one we do not speak."""
    if wanted == "*":
        return DEFAULT
    if not _RANGE.fullmatch(wanted):
        return None
    # RFC 4647 3.4: "de-AT" is "de" where nothing is closer.
    return next((tag for tag in LANGUAGES if tag == wanted.lower().partition("-")[0]), None)


def translated(text: str, language: str, *, utf8: bool) -> str:
    """An English text in the language."""
    found = _TEXTS.get(language, {}).get(_NUMBER.sub("#", text))
    if found is None:
        return text
    numbers = iter(_NUMBER.findall(text))
    filled = re.sub("#", lambda _: next(numbers, "#"), found)
    return filled if utf8 else filled.translate(_ASCII)

"""``point-names-here`` on zones as people write them: the record is found whatever its form, the
serial number alone is raised, and each name keeps its TTL."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.namespaces import checked, need_program

SCRIPTS = Path(__file__).parents[2] / "config/two-sites"
SOA = {
    "one line, digits in names": "@ IN SOA ns1.example.org. h7.example.org. 7 3600 600 1209600 300",
    "one line, with TTL and comment": "@ 300 IN SOA ns1 host 7 3600 600 1209600 300 ; serial 7",
    "in brackets": "@ IN SOA ns1 h2.example.org. (7 3600 600\n 1209600 300)",
    "each on its line": "@ IN SOA ns1 hostmaster (\n 7 ; serial\n 3600\n 600\n 1209600\n 300 )",
    "no space, the number last": "@ SOA ns1 hostmaster (\n\t7;serial\n\t3600 600 1209600 300 )",
    "names on the next line": "@ IN SOA (\n ns1.example.org. hostmaster\n 7 3600 600 1209600 300)",
}
RECORDS = """
@ IN NS ns1
ns1 IN A 192.0.2.1
mail 60 IN A 192.0.2.9
     120 IN AAAA 2001:db8::9
     IN TXT "v=x; (7"
mx1.example.org. IN 90 A 192.0.2.8 ; of old
www 77 IN A 192.0.2.10
mx1 IN A 192.0.2.7
"""


def pointed(folder: Path, zone: str, six: str = "2001:db8::25", status: int = 0) -> str:
    """The zone after the script, or what it said."""
    file, conf = folder / "zone", folder / "site.conf"
    file.write_text(zone)
    told = {"MAIL_DIR": folder, "ZONE": "example.org", "ZONE_FILE": file, "NAMES": '"mail mx1"'}
    told |= {"ADDRESS": "203.0.113.25", "ADDRESS6": six, "RELOAD_ZONE": "true"}
    conf.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
    done = subprocess.run(
        [str(SCRIPTS / "point-names-here")],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SITE_CONF": str(conf)}
        | {"SITE_FUNCTIONS": str(SCRIPTS / "functions")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else file.read_text()


def listed(folder: Path) -> list[tuple[str, str, str, str]]:
    """Name, TTL, type and value of each address and text, as the name server reads them."""
    said = checked(["named-checkzone", "-D", "-q", "-o", "-", "example.org", str(folder / "zone")])
    found = re.findall(r"^(\S+)\.example\.org\.\s+(\d+)\s+IN (A|AAAA|TXT)\s+(.+)$", said, re.M)
    return sorted(found)


@pytest.mark.parametrize("form", SOA)
def test_the_serial_number_is_found_in_any_form(tmp_path: Path, form: str) -> None:
    need_program("named-checkzone")
    zone = f"$TTL 300\n{SOA[form]}{RECORDS}"
    after = pointed(tmp_path, zone)
    # All of the record but its serial number is as it was.
    before, after = zone.partition("@ IN NS")[0], after.partition("@ IN NS")[0]
    assert re.sub(r"20\d{8}", "7", after) == before
    said = checked(["named-checkzone", "example.org", str(tmp_path / "zone")])
    assert int(re.findall(r"serial (\d+)", said)[0]) > 2_024_010_101


def test_each_name_keeps_its_ttl_and_what_else_it_has(tmp_path: Path) -> None:
    need_program("named-checkzone")
    zone = f"$TTL 300\n{SOA['in brackets']}{RECORDS}"
    pointed(tmp_path, zone)
    others = [("ns1", "300", "A", "192.0.2.1"), ("www", "77", "A", "192.0.2.10")]
    mail = [("mail", "60", "A", "203.0.113.25"), ("mail", "300", "TXT", '"v=x; (7"')]
    mx = [("mx1", "90", "A", "203.0.113.25")]
    six = [("mail", "120", "AAAA", "2001:db8::25"), ("mx1", "90", "AAAA", "2001:db8::25")]
    assert listed(tmp_path) == sorted([*others, *mail, *mx, *six])
    # Where the other site has no IPv6, none is left.
    pointed(tmp_path, (tmp_path / "zone").read_text(), six="")
    assert listed(tmp_path) == sorted([*others, *mail, *mx])


def test_a_serial_number_ahead_of_the_date_goes_up_by_one(tmp_path: Path) -> None:
    need_program("named-checkzone")
    zone = f"$TTL 300\n{SOA['each on its line']}{RECORDS}".replace(" 7 ;", " 4000000001 ;")
    assert " 4000000002 ; serial" in pointed(tmp_path, zone)


def test_a_zone_without_a_serial_number_is_left_alone(tmp_path: Path) -> None:
    need_program("named-checkzone")
    for zone in (f"$TTL 300\n{RECORDS}", "$TTL 300\n@ IN SOA ns1 hostmaster seven 1 1 1 1\n"):
        assert "no SOA record with a serial number" in pointed(tmp_path, zone, status=3)
        assert (tmp_path / "zone").read_text() == zone

from mailnode.admin.dns import records_for


def test_records_name_host_and_both_kinds_of_address() -> None:
    found = records_for("example.org", "mx.example.org", ["192.0.2.7", "2001:db8::7"])
    lines = [record.line() for record in found]
    assert "mx.example.org. 3600 IN A 192.0.2.7" in lines
    assert "mx.example.org. 3600 IN AAAA 2001:db8::7" in lines
    assert "example.org. 3600 IN MX 10 mx.example.org." in lines
    assert 'example.org. 3600 IN TXT "v=spf1 mx -all"' in lines


def test_mail_clients_find_every_service() -> None:
    found = records_for("example.org", "mx.example.org", [])
    services = {record.name: record.value for record in found if record.kind == "SRV"}
    assert services == {
        "_imaps._tcp.example.org": "0 1 993 mx.example.org.",
        "_pop3s._tcp.example.org": "0 1 995 mx.example.org.",
        "_submissions._tcp.example.org": "0 1 465 mx.example.org.",
        "_submission._tcp.example.org": "0 1 587 mx.example.org.",
    }

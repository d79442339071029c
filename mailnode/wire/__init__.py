"""What do these bytes mean? Sans-IO grammars: no socket, clock, disk or logger here."""

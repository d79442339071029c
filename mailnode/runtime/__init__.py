"""The only doors outside: clock, files, sockets, TLS, SQL engine, settings, log, threads."""

"""Roundcube from Debian on nginx and PHP-FPM of our own, in front of a running mailnode.

Everything it writes is in one folder; both daemons run in the foreground and end by their pid.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mailnode.admin.instance import Instance
from tests.support.processes import running

ROOT = Path("/var/lib/roundcube/public_html")
SETTINGS = Path("/etc/roundcube")
BROWSER = Path("/usr/bin/chromium")
START_WITHIN_S = 30

_FPM = """[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
{user}listen = {folder}/fpm.sock
pm = static
pm.max_children = 3
"""
_NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  include /etc/nginx/mime.types; access_log off;
  client_body_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  server {{
    listen 127.0.0.1:{port}; root {root}; index index.php;
    location ~ \\.php$ {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param ROUNDCUBE_CONFIG_DIR {folder}/conf;
      fastcgi_pass unix:{folder}/fpm.sock;
    }}
  }}
}}
"""


def missing() -> str:
    """What is not installed, or nothing."""
    wanted: dict[str, object] = {
        "nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin"),
        "php-fpm": _php_fpm(),
    }
    wanted |= {"roundcube-core": ROOT.is_dir(), "chromium": BROWSER.exists()}
    return ", ".join(name for name, found in wanted.items() if not found)


def _php_fpm() -> str | None:
    found = sorted(Path("/usr/sbin").glob("php-fpm*"))
    return str(found[-1]) if found else None


@contextmanager
def roundcube(server: Instance, folder: Path) -> Iterator[str]:
    """Serve it from ``folder``; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _lay(server, folder, port)
    fpm = [_php_fpm() or "php-fpm", "-F", "-y", str(folder / "fpm.conf")]
    fpm += ["-R"] if os.geteuid() == 0 else []
    nginx = ["/usr/sbin/nginx", "-c", str(folder / "nginx.conf")]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "daemons.log").open("wb"))
        for command in (fpm, nginx):
            process = stack.enter_context(running(command, stdout=log, stderr=log))
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        _wait(f"http://127.0.0.1:{port}/", folder)
        yield f"http://127.0.0.1:{port}/"


def _lay(server: Instance, folder: Path, port: int) -> None:
    for name in ("conf", "tmp", "log"):
        (folder / name).mkdir(parents=True)
    for name in ("defaults.inc.php", "mimetypes.php"):
        (folder / "conf" / name).symlink_to(SETTINGS / name)
    tls = f"['ssl' => ['verify_peer_name' => false, 'cafile' => '{server.certificate}']]"
    submission, imaps = server.address("submission"), server.address("imaps")
    texts = {
        "db_dsnw": f"sqlite:///{folder}/db.sqlite?mode=0600",
        "imap_host": f"ssl://{imaps[0]}:{imaps[1]}",
        "smtp_host": f"tls://{submission[0]}:{submission[1]}",
        "temp_dir": f"{folder}/tmp",
        "log_dir": f"{folder}/log",
        "des_key": "0123456789abcdef01234567",
        "skin": "elastic",
        "language": "en_US",
        "archive_mbox": "Archive",
    }
    lines = [f"$config[{json.dumps(key)}] = {json.dumps(text)};" for key, text in texts.items()]
    lines += [f"$config['{name}_conn_options'] = {tls};" for name in ("imap", "smtp")]
    lines += ["$config['plugins'] = ['archive'];", "$config['imap_debug'] = true;"]
    (folder / "conf" / "config.inc.php").write_text("<?php\n" + "\n".join(lines) + "\n")
    user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
    (folder / "fpm.conf").write_text(_FPM.format(folder=folder, user=user))
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, root=ROOT))


def _wait(address: str, folder: Path) -> None:
    end = time.monotonic() + START_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except OSError:
            said = (folder / "daemons.log").read_text()
            assert time.monotonic() < end, f"no Roundcube: {said}"
            time.sleep(0.1)

"""The configuration for nginx is one that nginx takes, and keeps nothing that is somebody's own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.sources import ROOT

CONFIG = (ROOT / "deploy" / "nginx" / "fullhouse.conf").read_text(encoding="utf-8")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
OPENSSL = shutil.which("openssl")


def test_nginx_takes_it(tmp_path: Path) -> None:
    if NGINX is None or OPENSSL is None:
        missing = "nginx and openssl are not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tickets.example.org", "-days", "2"]
    subprocess.run([str(OPENSSL), *make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = CONFIG.replace("/etc/ssl/fullhouse", str(tmp_path)).replace("/var/cache/nginx", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path / kind};\n" for kind in kinds)
    whole = f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{text}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole, encoding="utf-8")
    run = subprocess.run(
        [str(NGINX), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "test is successful" in run.stderr


def blocks() -> dict[str, str]:
    return dict(re.findall(r"^    location ([^{]+?) \{\n(.*?)^    \}", CONFIG, re.MULTILINE | re.DOTALL))


def test_what_is_kept_is_nobodys_own() -> None:
    found = blocks()
    kept = {name for name, block in found.items() if "proxy_cache fullhouse;" in block}
    assert kept == {"~ ^/api/v1/(events|sessions)(/|$)", "/static/"}
    public = found["~ ^/api/v1/(events|sessions)(/|$)"]
    assert "proxy_cache_bypass $fullhouse_own;" in public
    assert "proxy_no_cache $fullhouse_own;" in public
    assert "proxy_cache_valid 200 1s;" in public


def test_streams_are_passed_on_as_they_come() -> None:
    stream = blocks()["~ ^/api/v1/sessions/[^/]+/stream$"]
    assert "proxy_buffering off;" in stream
    assert CONFIG.index("/stream$ {") < CONFIG.index("(events|sessions)(/|$) {"), "the first one counts"

"""A whole server in a folder of its own, for tests that talk to it as clients do."""
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RESTANTE_BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else TOP / BUILD
ROOT = os.geteuid() == 0
MAIL_UID = 61002 if ROOT else os.geteuid()

DOTS = (b"From: a@example.org\nSubject: dots\n\nfirst\n.hidden\n.\n..two\nlast\n")
SHORT = b"Subject: x\r\n\r\n"


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: many connections or much data; without sanitizers only")


@pytest.fixture(scope="session")
def certificate():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="restante-cert-"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    yield folder
    shutil.rmtree(folder)


class Server:
    """restanted, started with a configuration of the test's; stopped at the end."""

    def __init__(self, certificate):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restante-test-"))
        self.folder.chmod(0o755)
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.own(self.mail)
        self.certificate = certificate
        self.accounts = self.folder / "accounts"
        self.users = {"joe@example.org": "{PLAIN}correct horse"}
        self.settings = {
            "listen": '"127.0.0.1:0"',
            "listen-tls": '"127.0.0.1:0"',
            "certificate": f'"{certificate}/cert.pem"',
            "certificate-key": f'"{certificate}/key.pem"',
            "accounts": f'"{self.accounts}"',
            "maildrop": f'"{self.mail}/%d/%n"',
            "mail-user": f'"{MAIL_UID}"',
            "login-user": '"61000"',
            "auth-user": '"61001"',
            "plaintext-passwords": "loopback",
            "mechanisms": '{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", '
                          '"PLAIN", "LOGIN"}',
            "failure-delay": "0",
            "login-processes": "2",
        }
        self.extra = ""
        self.run_as = {}
        self.process = None
        self.lines = []
        self.rest = b""

    def own(self, path):
        if ROOT:
            os.chown(path, MAIL_UID, MAIL_UID)

    def maildir(self, user="joe@example.org"):
        name, _, domain = user.partition("@")
        top = self.mail / domain
        for p in (top, top / name, *(top / name / d for d in ("tmp", "new", "cur"))):
            if not p.exists():
                p.mkdir()
                self.own(p)
        return top / name

    def put(self, content, name, folder="new", user="joe@example.org"):
        path = self.maildir(user) / folder / name
        path.write_bytes(content)
        self.own(path)
        return path

    def two_messages(self):
        """Those of the specimen session: 70 and 14 octets on the wire."""
        return (self.put(DOTS, "1700000001.M1P1.h"),
                self.put(SHORT, "1700000002.M1P1.h:2,S", "cur"))

    def write_settings(self):
        self.accounts.write_text("".join(f"{u}:{p}\n" for u, p in self.users.items()))
        self.accounts.chmod(0o600)
        text = "".join(f"{k} = {v}\n" for k, v in self.settings.items() if v is not None) + self.extra
        (self.folder / "restanted.conf").write_text(text)

    def start(self):
        self.write_settings()
        programs = subprocess.run([TOP / "tools/programs", BUILD], check=True, capture_output=True,
                                  text=True).stdout.strip()
        self.process = subprocess.Popen(
            [BUILD / "src/supervisor/restanted", "-c", self.folder / "restanted.conf", "-x", programs],
            stderr=subprocess.PIPE, **self.run_as)
        self.expect("restanted: ready")
        ports = re.findall(r"listening on 127\.0\.0\.1:(\d+)( \(TLS\))?", "\n".join(self.lines))
        self.port = next((int(p) for p, tls in ports if not tls), None)
        self.tls_port = next((int(p) for p, tls in ports if tls), None)
        return self

    def read_log(self, deadline):
        """Waits for more of the log; False: there is no more."""
        left = deadline - time.monotonic()
        assert left > 0, "the log never said it:\n" + "\n".join(self.lines[-40:])
        if not select.select([self.process.stderr], [], [], left)[0]:
            return True
        data = os.read(self.process.stderr.fileno(), 65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.lines += [line.decode() for line in lines]
        return bool(data)

    def expect(self, pattern, since=0):
        """Waits until a line of the log matches, and returns the match."""
        deadline = time.monotonic() + 60
        at = since
        while True:
            while at < len(self.lines):
                m = re.search(pattern, self.lines[at])
                if m:
                    return m
                at += 1
            assert self.read_log(deadline), f"ended without {pattern!r}:\n" + "\n".join(self.lines)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 60
            while self.read_log(deadline):
                pass
            self.process.wait(timeout=60)
        if self.process is not None:
            self.process.stderr.close()
        log = "\n".join(self.lines)
        assert "Sanitizer" not in log and "runtime error" not in log, log
        assert "was ended by signal" not in getattr(self, "unexpected", log), log

    def crash_is_expected(self):
        self.unexpected = ""

    def context(self):
        return ssl.create_default_context(cafile=str(self.certificate / "cert.pem"))

    def connect(self, tls=False):
        return Connection(self, tls)

    def login(self, user="joe@example.org", password="correct horse", tls=False):
        c = self.connect(tls)
        assert c.command(f"USER {user}").startswith(b"+OK")
        c.greeting = c.command(f"PASS {password}")
        return c


class Connection:
    """A client that says exactly what it is told to."""

    def __init__(self, server, tls=False):
        self.server = server
        self.sock = socket.create_connection(("127.0.0.1", server.tls_port if tls else server.port), 60)
        self.buffer = b""
        if tls:
            self.sock = server.context().wrap_socket(self.sock, server_hostname="localhost")
        self.hello = self.line()

    def start_tls(self):
        self.sock = self.server.context().wrap_socket(self.sock, server_hostname="localhost")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def command(self, text):
        self.send(text.encode() + b"\r\n" if isinstance(text, str) else text + b"\r\n")
        return self.line()

    def multi(self, text):
        """Status line, and the lines of the reply as they are on the wire."""
        first, lines = self.command(text), []
        while first.startswith(b"+OK"):
            line = self.line()
            if line == b".\r\n":
                break
            lines.append(line)
        return first, lines

    def rest(self):
        """Everything until the server closes."""
        data = self.buffer
        self.buffer = b""
        while True:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                return data
            if not more:
                return data
            data += more

    def close(self):
        self.sock.close()


@pytest.fixture
def server(certificate):
    s = Server(certificate)
    yield s
    try:
        s.stop()
    finally:
        shutil.rmtree(s.folder)

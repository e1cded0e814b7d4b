"""restante-login alone: the test is its supervisor, restante-auth, the maildrop process and the clients."""
import base64
import mmap
import os
import pathlib
import re
import select
import socket
import ssl
import struct
import subprocess

import pytest

import ipc
from conftest import BUILD, ROOT, TOP

PLAIN_BUILD = "asan" not in BUILD.name and "tsan" not in BUILD.name
LOGIN_UID = 61000 if ROOT else 0  # 0: stay


def program():
    folder = subprocess.run([TOP / "tools/programs", BUILD], check=True, capture_output=True, text=True)
    return pathlib.Path(folder.stdout.strip()) / "restante-login"


class Login:
    """A restante-login with a plaintext listener, one for TLS, and a test in the place of auth."""

    def __init__(self, certificate, before=(), **settings):
        self.certificate = certificate
        self.lines, self.part = [], b""
        self.log, log = os.pipe()
        self.process, self.up = ipc.start_child(program(), log, before)
        os.close(log)
        self.up.send(ipc.login_setup(uid=LOGIN_UID, **settings))
        if certificate is not None:
            self.up.send(ipc.certificate_setup("", *((certificate / name).read_bytes()
                                                     for name in ("cert.pem", "key.pem"))))
        self.listeners = [self.listen(tls) for tls in ((False, True) if certificate else (False,))]
        size = 2 * ipc.COUNTER_SLOTS * 2
        memory = os.memfd_create("counters")
        os.truncate(memory, size)
        self.counters = mmap.mmap(memory, size)
        socket.send_fds(self.up, [ipc.u8(ipc.SU_COUNTERS)], [memory])
        os.close(memory)
        self.auth = None
        self.new_auth()
        self.up.send(ipc.u8(ipc.SU_START))
        assert self.up.recv(100) == ipc.u8(ipc.SU_READY)
        self.expect("restante-login: serving: ")

    def listen(self, tls):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # of what is accepted here, too
        s.bind(("127.0.0.1", 0))
        s.listen(1024)
        s.setblocking(False)
        socket.send_fds(self.up, [ipc.listener_setup("127.0.0.1:0", tls)], [s.fileno()])
        return s

    def new_auth(self, room=None):
        """A new channel to auth, which is the test; the one before is gone."""
        old = self.auth
        self.auth, theirs = ipc.channel()
        if room is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        socket.send_fds(self.up, [ipc.peer(ipc.PEER_AUTH)], [theirs.fileno()])
        theirs.close()
        if old is not None:
            old.close()
            assert self.comes_to_rest()  # it has seen both

    def heard(self):
        """The next message to auth, and the connection that came with it or None."""
        message, fds, _, _ = socket.recv_fds(self.auth, 1 << 18, 2)
        return ipc.la_from_login(message), socket.socket(fileno=fds[0]) if fds else None

    def start(self, kind=None):
        m, connection = self.heard()
        assert m["type"] == ipc.LA_START and connection is not None
        assert kind is None or m["kind"] == kind
        connection.setblocking(True)
        connection.settimeout(60)
        return m, connection

    def say(self, type, m, data=b""):
        self.auth.send(ipc.la_reply(type, m["id"], data))

    def expect(self, pattern):
        while True:
            for line in self.lines:
                if re.search(pattern, line):
                    return line
            assert select.select([self.log], [], [], 60)[0], "the log never said it: " + str(self.lines)
            data = os.read(self.log, 65536)
            assert data, f"ended without {pattern!r}: {self.lines}"
            *lines, self.part = (self.part + data).split(b"\n")
            self.lines += [line.decode() for line in lines]

    def connect(self, tls=False, **k):
        return Client(self, tls, **k)

    def memory(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * mmap.PAGESIZE

    def comes_to_rest(self):
        """Waits until it sleeps each time it is looked at: what spins never does."""
        stat, seen = pathlib.Path(f"/proc/{self.process.pid}/stat"), 0
        for _ in range(200000):
            seen = seen + 1 if stat.read_text().rsplit(")", 1)[1].split()[0] == "S" else 0
            if seen == 500:
                return True
        return False

    def stop(self):
        self.up.close()
        assert self.process.wait(timeout=60) == 0
        while data := os.read(self.log, 65536):
            self.part += data
        os.close(self.log)
        log = "\n".join(self.lines) + self.part.decode()
        assert "Sanitizer" not in log and "runtime error" not in log, log
        for s in (self.auth, *self.listeners):
            s.close()


class Client:
    def __init__(self, login, tls, greet=True, room=None, version=None, session=None):
        self.login = login
        self.sock = socket.socket()
        self.sock.settimeout(60)
        if room is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.sock.connect(login.listeners[tls].getsockname())
        self.buffer = b""
        self.context = None
        if tls:
            self.start_tls(version, session)
        self.hello = self.line() if greet else None

    def start_tls(self, version=None, session=None):
        if session is None:
            self.context = ssl.create_default_context(cafile=str(self.login.certificate / "cert.pem"))
            if version is not None:
                self.context.minimum_version = self.context.maximum_version = version
        else:
            self.context = session[0]
        self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost", suppress_ragged_eofs=False,
                                             session=session and session[1])

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def command(self, text):
        self.send(text + b"\r\n")
        return self.line()

    def capa(self):
        assert self.command(b"CAPA").startswith(b"+OK")
        lines = []
        while (line := self.line()) != b".\r\n":
            lines.append(line.rstrip())
        return lines

    def password(self, name=b"joe", secret=b"secret", behind=b""):
        """USER and PASS; the answer to PASS is not waited for."""
        assert self.command(b"USER " + name).startswith(b"+OK")
        self.send(b"PASS " + secret + b"\r\n" + behind)

    def rest(self):
        data, self.buffer = [self.buffer], b""
        while True:
            data.append(self.sock.recv(65536))
            if not data[-1]:
                return b"".join(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


@pytest.fixture
def serve(certificate):
    started = []

    def start(certificate=certificate, **settings):
        started.append(Login(certificate, **settings))
        return started[-1]

    yield start
    for login in started:
        if login.process.poll() is None:
            login.stop()


# --- what is offered ---


# Holds: P2449-05 P2595-09 P5034-21 P5802-10
def test_capabilities_before_and_after_stls(serve):
    login = serve(plaintext=0)
    c = login.connect()
    assert c.hello.startswith(b"+OK POP3 ") and b"<" not in c.hello
    before = c.capa()
    assert b"STLS" in before and b"USER" not in before and b"SASL SCRAM-SHA-256" in before
    assert c.command(b"STLS").startswith(b"+OK")
    c.start_tls()
    after = c.capa()
    assert b"STLS" not in after and b"USER" in after
    assert b"SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" in after


@pytest.mark.parametrize("plaintext,offered", [(0, False), (1, True), (2, True)])
def test_passwords_in_the_clear(serve, plaintext, offered):
    c = serve(plaintext=plaintext).connect()
    assert (b"USER" in c.capa()) == offered
    assert (b"SASL SCRAM-SHA-256 PLAIN LOGIN" in c.capa()) == offered
    assert c.command(b"USER joe").startswith(b"+OK" if offered else b"-ERR [AUTH]")


# Holds: P1939-48 P1939-49 Q-C19
def test_apop(serve):
    login = serve(apop=1)
    stamps = set()
    for _ in range(50):
        c = login.connect()
        stamp = re.search(rb"<([0-9]+)\.([0-9a-f]{32})@mail\.example\.org>\r\n$", c.hello).group(0).strip()
        stamps.add(stamp)
    assert len(stamps) == 50
    c.send(b"APOP joe " + b"0f" * 16 + b"\r\n")
    m, _ = login.start(ipc.LA_APOP)
    assert (m["user"], m["secret"], m["data"]) == (b"joe", b"\x0f" * 16, stamp)


# --- credentials and the connection go to auth ---


# Holds: P2449-21
def test_connection_and_early_octets_go_to_auth(serve):
    login = serve()
    c = login.connect()
    c.password(secret=b" two  words ", behind=b"STAT\r\nLI")
    m, connection = login.start(ipc.LA_PASS)
    assert (m["user"], m["secret"], m["early"]) == (b"joe", b" two  words ", b"STAT\r\nLI")
    assert (m["secure"], m["loopback"], m["address"], m["tls"]) == (0, 1, b"127.0.0.1", b"")
    # what comes meanwhile stays in the socket, for maildrop
    c.send(b"ST\r\n")
    login.say(ipc.LA_DONE, m)
    connection.sendall(b"+OK 0 messages\r\n")
    assert c.line() == b"+OK 0 messages\r\n"
    assert connection.recv(100) == b"ST\r\n"
    # restante-login has closed its copy: this one was the last
    login.expect("handed over")
    connection.close()
    assert c.rest() == b""


def test_nothing_is_read_while_a_check_is_under_way(serve):
    login = serve()
    c = login.connect()
    c.password()
    m, connection = login.start()
    c.send(b"CAPA\r\n")
    assert login.comes_to_rest()
    assert connection.recv(100, socket.MSG_PEEK) == b"CAPA\r\n"
    login.say(ipc.LA_FAILED, m, ipc.FAIL_AUTH)
    connection.close()
    assert c.line().startswith(b"-ERR [AUTH] ")
    assert c.line().startswith(b"+OK")


@pytest.mark.parametrize("why,says", [
    (ipc.FAIL_AUTH, b"-ERR [AUTH] "), (ipc.FAIL_NEED_TLS, b"-ERR [AUTH] "), (ipc.FAIL_DELAY, b"-ERR [LOGIN-DELAY] "),
    (ipc.FAIL_IN_USE, b"-ERR [IN-USE] "), (ipc.FAIL_TEMP, b"-ERR [SYS/TEMP] "), (ipc.FAIL_PERM, b"-ERR [SYS/PERM] ")])
def test_what_a_client_is_told(serve, why, says):
    login = serve()
    c = login.connect()
    c.password()
    m, _ = login.start()
    login.say(ipc.LA_FAILED, m, why)
    assert c.line().startswith(says)


# Holds: P5034-08 P5034-11
def test_challenges_and_responses(serve):
    login = serve()
    c = login.connect(tls=True)
    c.send(b"AUTH SCRAM-SHA-256-PLUS " + base64.b64encode(b"first") + b"\r\n")
    m, _ = login.start(ipc.LA_SASL)
    assert (m["user"], m["has_data"], m["data"]) == (b"SCRAM-SHA-256-PLUS", 1, b"first")
    assert m["secure"] == 1 and m["tls"].startswith(b"TLSv1.3 ") and len(m["exporter"]) == 32
    login.say(ipc.LA_CONTINUE, m, b"challenge")
    assert c.line() == b"+ " + base64.b64encode(b"challenge") + b"\r\n"
    c.send(base64.b64encode(b"second") + b"\r\nSTAT\r\n")
    step, connection = login.heard()
    assert connection is None
    assert step == {"type": ipc.LA_STEP, "id": m["id"], "data": b"second", "early": b"STAT\r\n"}
    # what came early is the next response, if there is to be one
    login.say(ipc.LA_CONTINUE, m)
    assert c.line() == b"+ \r\n"
    assert login.heard()[0]["data"] == base64.b64decode(b"STAT")
    login.say(ipc.LA_CONTINUE, m, b"x" * 60000)
    assert len(c.line()) == 80000 + 4
    # given up
    assert c.command(b"*").startswith(b"-ERR")
    assert login.heard()[0] == {"type": ipc.LA_CANCEL, "id": m["id"]}
    assert c.command(b"CAPA").startswith(b"+OK")


def test_exchanges_given_up_are_limited(serve):
    login = serve(max_failures=3)
    c = login.connect()
    for _ in range(16):
        c.send(b"AUTH SCRAM-SHA-256\r\n")
        m, connection = login.start()
        connection.close()
        login.say(ipc.LA_CONTINUE, m)
        assert c.line() == b"+ \r\n"
        last = c.command(b"*")
        assert login.heard()[0]["type"] == ipc.LA_CANCEL
    assert last.startswith(b"-ERR")
    assert c.rest() == b""


# Holds: Q-M11
def test_failed_logins_are_limited(serve):
    login = serve(max_failures=2)
    c = login.connect()
    for _ in range(2):
        c.password()
        m, connection = login.start()
        connection.close()
        login.say(ipc.LA_FAILED, m, ipc.FAIL_AUTH)
        assert c.line().startswith(b"-ERR [AUTH]")
    assert c.rest() == b""


def test_a_client_that_is_gone_is_cancelled(serve):
    login = serve()
    c = login.connect()
    c.password()
    m, connection = login.start()
    connection.close()
    c.reset()
    assert login.heard()[0] == {"type": ipc.LA_CANCEL, "id": m["id"]}


# Holds: P5929-01 P7677-01
def test_tls_unique(serve):
    login = serve()
    c = login.connect(tls=True, version=ssl.TLSVersion.TLSv1_2)
    c.password()
    m, _ = login.start()
    assert len(m["unique"]) == 12 and m["unique"] == c.sock.get_channel_binding("tls-unique")
    # a resumed session: the server speaks the first Finished message
    d = login.connect(tls=True, session=(c.context, c.sock.session))
    assert d.sock.session_reused
    d.password()
    m, _ = login.start()
    assert len(m["unique"]) == 12 and m["unique"] == d.sock.get_channel_binding("tls-unique")
    # there is none in TLS 1.3
    e = login.connect(tls=True, version=ssl.TLSVersion.TLSv1_3)
    e.password()
    assert login.start()[0]["unique"] == b""


# --- auth does not keep up, or dies ---


def test_an_auth_that_does_not_keep_up(serve):
    login = serve()
    login.new_auth(room=4096)
    login.connect().command(b"NOOP")
    clients = [login.connect() for _ in range(100)]
    for i, c in enumerate(clients):
        c.password(name=b"user%d" % i)
    assert login.comes_to_rest()
    # two of those that wait are gone: that is not lost
    clients[50].reset()
    clients[99].reset()
    assert login.comes_to_rest()
    heard = [login.heard() for _ in range(102)]
    starts = {m["user"]: m["id"] for m, _ in heard if m["type"] == ipc.LA_START}
    assert sorted(starts) == sorted(b"user%d" % i for i in range(100))
    assert {m["id"] for m, _ in heard if m["type"] == ipc.LA_CANCEL} == {starts[b"user50"], starts[b"user99"]}
    for m, connection in heard:
        if m["type"] == ipc.LA_START and m["user"] == b"user7":
            connection.sendall(b"+OK\r\n")
    assert clients[7].line() == b"+OK\r\n"


# Holds: P3206-03
def test_auth_dies(serve):
    login = serve()
    waiting, secure, asked = login.connect(), login.connect(tls=True), login.connect()
    waiting.password()
    login.start()
    secure.password()
    login.start()
    asked.send(b"AUTH SCRAM-SHA-256\r\n")
    m, _ = login.start()
    login.say(ipc.LA_CONTINUE, m)
    assert asked.line() == b"+ \r\n"
    login.auth.close()
    login.auth = None
    assert login.comes_to_rest()
    # a maildrop process might have the connection by now: two must not talk on it
    assert waiting.line().startswith(b"-ERR [SYS/TEMP] ")
    assert waiting.rest() == b""
    assert secure.line().startswith(b"-ERR [SYS/TEMP] ")
    # one answer for each line: a response gets its own
    assert asked.command(b"AAAA").startswith(b"-ERR [SYS/TEMP] ")
    assert asked.command(b"NOOP").startswith(b"-ERR not now")
    late = login.connect()
    late.password()
    assert late.line().startswith(b"-ERR [SYS/TEMP] ")
    login.new_auth()
    assert login.comes_to_rest()
    for c in (secure, asked, late):
        c.password(name=b"again")
        assert login.start()[0]["user"] == b"again"


def test_a_new_auth_does_not_get_what_the_old_one_asked_for(serve):
    login = serve()
    c = login.connect()
    c.send(b"AUTH SCRAM-SHA-256\r\n")
    m, _ = login.start()
    login.say(ipc.LA_CONTINUE, m)
    assert c.line() == b"+ \r\n"
    login.new_auth()
    assert c.command(b"AAAA").startswith(b"-ERR [SYS/TEMP] ")
    c.password()
    assert login.start()[0]["type"] == ipc.LA_START


@pytest.mark.parametrize("nonsense", [b"\x63", ipc.la_reply(ipc.LA_FAILED, 1, 99), ipc.la_reply(ipc.LA_DONE, 1) + b"x",
                                      ipc.u8(ipc.LA_CONTINUE) + ipc.u64(1) + ipc.u32(0xffffffff)])
def test_an_auth_that_makes_no_sense_is_gone(serve, nonsense):
    login = serve()
    c = login.connect(tls=True)
    c.password()
    login.start()
    login.auth.send(nonsense)
    assert c.line().startswith(b"-ERR [SYS/TEMP] ")
    login.expect("it made no sense")


def test_answers_nobody_waits_for(serve):
    login = serve()
    for type in (ipc.LA_DONE, ipc.LA_FAILED, ipc.LA_CONTINUE):
        login.auth.send(ipc.la_reply(type, 4711, 1 if type == ipc.LA_FAILED else b"x"))
    c = login.connect()
    c.password()
    m, _ = login.start()
    login.say(ipc.LA_FAILED, m, ipc.FAIL_AUTH)
    assert c.line().startswith(b"-ERR [AUTH]")


# --- STLS ---


# Holds: P2595-05
@pytest.mark.parametrize("behind", [b"\n", b"USER joe\r\n", b"\x16\x03\x01"])
def test_plaintext_behind_stls(serve, behind):
    login = serve()
    c = login.connect()
    c.send(b"STLS\r\n" + behind)
    assert c.line().startswith(b"+OK")
    try:
        assert c.rest() == b""
    except ConnectionResetError:
        pass
    login.expect("plaintext behind STLS")


def test_stls_as_the_last_of_what_was_kept(serve):
    login = serve()
    c = login.connect()
    c.password(behind=b"STLS\r\n")
    m, connection = login.start()
    assert m["early"] == b"STLS\r\n"
    connection.close()
    login.say(ipc.LA_FAILED, m, ipc.FAIL_AUTH)
    assert c.line().startswith(b"-ERR [AUTH]")
    assert c.line().startswith(b"+OK")
    c.start_tls()
    assert b"STLS" not in c.capa()


# --- relay ---


def logged_in(login, **k):
    c = login.connect(tls=True, **k)
    c.password()
    m, connection = login.start()
    login.say(ipc.LA_DONE, m)
    connection.sendall(b"+OK\r\n")
    assert c.line() == b"+OK\r\n"
    return c, connection


# Holds: P8314-07
def test_relay_both_ways(serve):
    login = serve()
    c, maildrop = logged_in(login)
    for i in range(200):
        c.send(b"LIST %d\r\n" % i)
        assert maildrop.recv(100) == b"LIST %d\r\n" % i
        maildrop.sendall(b"+OK %d 1\r\n" % i)
        assert c.line() == b"+OK %d 1\r\n" % i
    maildrop.sendall(b"last words")
    maildrop.close()
    assert c.rest() == b"last words"  # and a close alert, or this would have raised


def test_relay_hands_on_that_a_client_says_no_more(serve):
    login = serve()
    c, maildrop = logged_in(login)
    c.send(b"STAT\r\nQUIT\r\n")
    c.sock.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):  # says close_notify, and waits for ours
        c.sock.unwrap()
    said = b""
    while data := maildrop.recv(100):
        said += data
    assert said == b"STAT\r\nQUIT\r\n"
    assert login.comes_to_rest()
    maildrop.sendall(b"+OK bye\r\n" * 10000)
    maildrop.close()
    c.sock.settimeout(60)
    said = b""
    with pytest.raises((ssl.SSLError, EOFError)) as end:
        while True:
            data = c.sock.recv(65536)
            if not data:
                raise EOFError
            said += data
    del end
    login.connect()


# Holds: P2449-23
def test_relay_to_a_slow_reader(serve):
    """Bounded memory while it does not read, no spinning, and every octet in the end."""
    login = serve()
    c, maildrop = logged_in(login, room=4096)
    before = login.memory()
    line = b"0123456789abcdef" * 64
    maildrop.setblocking(False)
    sent = 0
    while True:
        try:
            sent += maildrop.send(line)
        except BlockingIOError:
            if not select.select([], [maildrop], [], 0)[1] and login.comes_to_rest():
                try:
                    sent += maildrop.send(line)
                except BlockingIOError:
                    break
    assert sent < 1 << 22
    if PLAIN_BUILD:
        assert login.memory() - before < 1 << 20
    # the maildrop process is through and gone, the client still is not
    maildrop.close()
    assert login.comes_to_rest()
    d = login.connect()
    assert d.command(b"CAPA").startswith(b"+OK")
    said = c.rest()
    assert len(said) == sent and said == (line * (sent // len(line) + 1))[:sent]


# Holds: P2449-22
def test_relay_from_a_client_that_is_ahead(serve):
    login = serve()
    c, maildrop = logged_in(login)
    before = login.memory()
    c.sock.setblocking(False)
    sent, lines = 0, b"NOOP\r\n" * 500
    while True:
        try:
            sent += c.sock.send(lines)
        except ssl.SSLWantWriteError:
            if login.comes_to_rest() and not select.select([], [c.sock], [], 0)[1]:
                break
    if PLAIN_BUILD:
        assert login.memory() - before < 1 << 20
    got = b""
    maildrop.settimeout(60)
    while len(got) < sent:
        data = maildrop.recv(1 << 20)
        assert data
        got += data
    assert got[:sent] == (lines * (sent // len(lines) + 1))[:sent]


# Holds:
def test_what_a_client_said_before_it_went_is_heard(serve):
    login = serve()
    c, maildrop = logged_in(login)
    maildrop.sendall(b"+OK never read\r\n")
    assert select.select([c.sock], [], [], 60)[0]
    c.send(b"DELE 1\r\nQUIT\r\n")
    c.close()  # with something unread: the connection is reset
    said = b""
    while data := maildrop.recv(100):
        said += data
    assert said == b"DELE 1\r\nQUIT\r\n"


def test_a_client_that_does_not_read_is_not_waited_for(serve):
    login = serve(write_timeout=1)
    c, maildrop = logged_in(login, room=4096)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            maildrop.sendall(b"x" * 65536)
    login.expect("took no data for too long")


# --- limits and abuse ---


# Holds: P1939-24
def test_a_client_that_says_nothing_is_closed_without_a_word(serve):
    login = serve(login_timeout=1)
    assert login.connect().rest() == b""
    c = login.connect(tls=True)
    assert c.rest() == b""
    mute = login.connect(tls=False, greet=False)
    mute.sock.close()
    handshaking = socket.create_connection(login.listeners[1].getsockname(), 60)
    assert handshaking.recv(100) == b""
    login.expect("no login in time")


def test_connections_of_an_address(serve):
    login = serve(max_per_address=4)
    first = [login.connect(), login.connect(tls=True)]
    # another restante-login has one, too
    slot = next(i for i in range(ipc.COUNTER_SLOTS) if login.counters[2 * i])
    assert struct.unpack_from("=H", login.counters, 2 * slot)[0] == 2
    struct.pack_into("=H", login.counters, 2 * (ipc.COUNTER_SLOTS + slot), 1)
    first.append(login.connect())
    c = login.connect()
    assert c.hello == b"-ERR [SYS/TEMP] too many connections\r\n"
    assert c.rest() == b""
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        login.connect(tls=True)
    # a session that was handed over does not count here
    first[0].password()
    m, connection = login.start()
    login.say(ipc.LA_DONE, m)
    login.expect("handed over")
    login.auth.send(ipc.la_reply(ipc.LA_DONE, 4711))
    d = login.connect()
    assert d.hello.startswith(b"+OK")
    connection.close()


def test_connections_of_a_process(serve):
    login = serve(max_connections=3)
    held = [login.connect() for _ in range(3)]
    assert login.connect().hello == b"-ERR [SYS/TEMP] too many connections\r\n"
    assert all(c.command(b"CAPA").startswith(b"+OK") for c in held)


def test_no_descriptors_left(serve):
    login = serve(before=("prlimit", "--nofile=32:32"))
    held = []
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            held.append(login.connect())
    assert 10 < len(held) < 32
    # the others are closed, not left waiting, and nobody is kept busy by them
    for _ in range(20):
        with pytest.raises((EOFError, ConnectionResetError)):
            login.connect()
    assert login.comes_to_rest()
    login.expect("no descriptors are left")
    assert sum("no descriptors" in line for line in login.lines) == 1
    assert held.pop().command(b"QUIT").startswith(b"+OK")
    held.append(login.connect())
    assert all(c.command(b"CAPA").startswith(b"+OK") for c in held)


# Holds: P2449-14
def test_a_line_without_an_end(serve):
    login = serve()
    before = login.memory()
    c = login.connect()
    c.send(b"x" * (1 << 20))
    assert login.connect().command(b"CAPA").startswith(b"+OK")
    assert c.command(b"").startswith(b"-ERR")
    assert c.command(b"CAPA").startswith(b"+OK")
    if PLAIN_BUILD:
        assert login.memory() - before < 1 << 19


# Holds: P2449-22 P2449-23
@pytest.mark.parametrize("last", ["PASS", "STLS"])
def test_replies_not_read_yet_are_no_reason_to_close(serve, last):
    """Whatever the number of them, and so wherever a full socket stops them."""
    login = serve(max_failures=100)
    for n in range(25, 75):
        c = login.connect(room=2048)
        c.send(b"CAPA\r\n" * n + (b"USER joe\r\nPASS x\r\nSTAT\r\n" if last == "PASS" else b"STLS\r\n"))
        assert login.comes_to_rest()
        for _ in range(n):
            while c.line() != b".\r\n":
                pass
        assert c.line().startswith(b"+OK")
        if last == "PASS":
            m, connection = login.start()
            assert m["early"] == b"STAT\r\n"
            connection.sendall(b"+OK in\r\n")
            assert c.line() == b"+OK in\r\n"
        else:
            c.start_tls()
            assert b"USER" in c.capa()
        c.close()


def test_others_get_their_turn(serve):
    """Two clients that always have something to say, and one that only wants to log in."""
    login = serve()
    busy = [login.connect(), login.connect(tls=True)]
    for c in busy:
        c.sock.setblocking(False)
    said = read = 0
    quiet = None
    while read < 1 << 22:
        for c in busy:
            try:
                said += c.sock.send(b"CAPA\r\n" * 200)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            try:
                read += len(c.sock.recv(1 << 16))
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
        if read > 1 << 21 and quiet is None:
            quiet = login.connect()
            assert quiet.command(b"CAPA").startswith(b"+OK")


@pytest.mark.slow
def test_two_thousand_connections(serve):
    login = serve()
    login.connect().command(b"CAPA")
    before = login.memory()
    crowd = [login.connect() for _ in range(2000)]
    assert login.memory() - before < 2000 * 1536
    for c in crowd:
        c.send(b"CAPA\r\nQUIT\r\n")
    for c in crowd:
        assert c.rest().endswith(b".\r\n+OK bye\r\n")
    assert login.comes_to_rest()
    assert not any(login.counters[:2 * ipc.COUNTER_SLOTS])


@pytest.mark.slow
def test_relays_are_small(serve):
    login = serve()
    for _ in range(3):
        logged_in(login)
    before = login.memory()
    held = [logged_in(login) for _ in range(200)]
    assert login.memory() - before < 200 * 64 * 1024
    del held


# --- the supervisor ---


def test_drain(serve):
    login = serve()
    c, maildrop = logged_in(login)
    d = login.connect()
    login.up.send(ipc.u8(ipc.SU_DRAIN))
    login.expect("taking no further connections; 2 to go")
    waiting = socket.create_connection(login.listeners[0].getsockname(), 60)
    waiting.setblocking(False)
    assert d.command(b"QUIT").startswith(b"+OK")
    c.send(b"QUIT\r\n")
    assert maildrop.recv(10) == b"QUIT\r\n"
    assert login.process.poll() is None
    with pytest.raises(BlockingIOError):
        waiting.recv(10)
    maildrop.close()
    assert c.rest() == b""
    assert login.process.wait(timeout=60) == 0


def test_without_a_supervisor_it_ends(serve):
    login = serve()
    c = login.connect()
    login.up.close()
    assert login.process.wait(timeout=60) == 0
    assert c.rest() == b""


@pytest.mark.parametrize("what", ["nothing", "half a setup", "a key with a passphrase", "nonsense"])
def test_a_setup_that_is_not_one(tmp_path, what):
    read, log = os.pipe()
    process, up = ipc.start_child(program(), log)
    os.close(log)
    if what == "half a setup":
        up.send(ipc.login_setup(uid=LOGIN_UID)[:-1])
        up.send(ipc.u8(ipc.SU_START))
    elif what == "nonsense":
        up.send(b"\xff")
    elif what == "a key with a passphrase":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:secret", "-keyout",
                        tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=x"], check=True,
                       capture_output=True)
        up.send(ipc.login_setup(uid=LOGIN_UID))
        up.send(ipc.certificate_setup("", (tmp_path / "cert.pem").read_bytes(), (tmp_path / "key.pem").read_bytes()))
        up.send(ipc.u8(ipc.SU_START))
    if what != "a key with a passphrase":
        up.close()
    assert process.wait(timeout=60) == 78
    said = b""
    while data := os.read(read, 65536):
        said += data
    os.close(read)
    up.close()
    if what == "a key with a passphrase":
        assert b"certificate-key" in said

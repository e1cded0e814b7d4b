"""restante-maildrop alone: the test is its supervisor, restante-auth, and the clients."""
import contextlib
import os
import pathlib
import re
import select
import shutil
import socket
import struct
import tempfile

import pytest

import ipc
from conftest import BUILD, DOTS, MAIL_UID, ROOT, SHORT

PLAIN_BUILD = "asan" not in BUILD.name and "tsan" not in BUILD.name
LARGE = b"Subject: large\n\n" + (b"x" * 70 + b"\n") * 100000


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(60)
        self.buffer = b""

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

    def rest(self):
        """Everything until a clean end."""
        data = [self.buffer]
        self.buffer = b""
        while True:
            data.append(self.sock.recv(65536))
            if not data[-1]:
                return b"".join(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Maildrop:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restante-maildrop-"))
        self.folder.chmod(0o755)
        self.process = None
        self.lines, self.part = [], b""
        self.sessions = 0
        self.put("joe", "1700000001.M1P1.h", DOTS)
        self.put("joe", "1700000002.M1P1.h:2,S", SHORT, "cur")

    def put(self, path, name, content, box="new"):
        top = self.folder / path
        for p in (top, top / "tmp", top / "new", top / "cur"):
            p.mkdir(exist_ok=True)
            self.own(p)
        (top / box / name).write_bytes(content)
        self.own(top / box / name)
        return top / box / name

    @staticmethod
    def own(path):
        if ROOT:
            os.chown(path, MAIL_UID, MAIL_UID)

    def names(self, path="joe"):
        return sorted(p.name for box in ("new", "cur") for p in (self.folder / path / box).iterdir())

    def start(self, **setup):
        self.own(self.folder)
        read, write = os.pipe()
        self.process, self.supervisor = ipc.start_child(BUILD / "src/maildrop/restante-maildrop", write)
        os.close(write)
        self.log = read
        self.auth, theirs = ipc.channel()
        gid = MAIL_UID if ROOT else os.getegid()
        self.supervisor.send(ipc.maildrop_setup(root=str(self.folder), uid=MAIL_UID, gid=gid, **setup))
        socket.send_fds(self.supervisor, [ipc.peer(ipc.PEER_AUTH)], [theirs.fileno()])
        theirs.close()
        self.supervisor.send(ipc.u8(ipc.SU_START))
        assert self.supervisor.recv(100) == ipc.u8(ipc.SU_READY)
        return self

    def read_log(self):
        """Takes in more of the log; False: there is no more."""
        data = os.read(self.log, 65536)
        *lines, self.part = (self.part + data).split(b"\n")
        self.lines += [line.decode() for line in lines]
        return bool(data)

    def expect(self, pattern):
        """Waits for a line of the log."""
        at = 0
        while True:
            for line in self.lines[at:]:
                match = re.search(pattern, line)
                if match:
                    return match
            at = len(self.lines)
            if not select.select([self.log], [], [], 60)[0] or not self.read_log():
                break
        raise AssertionError(f"the log never said {pattern!r}:\n" + "\n".join(self.lines))

    def report(self):
        """Type of the next report, and the session's number."""
        packet = self.auth.recv(100)
        assert len(packet) == 9
        return packet[0], int.from_bytes(packet[1:], "big")

    def hand(self, path="joe", early=b"", sent=b"", tcp=True, packet=None, **fields):
        """A logged-in client, who has sent octets that nobody has received."""
        if tcp:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                ours = socket.create_connection(listener.getsockname())
                theirs, _ = listener.accept()
        else:
            ours, theirs = socket.socketpair()
        ours.sendall(sent)
        self.sessions += 1
        socket.send_fds(self.auth, [packet or ipc.handoff(self.sessions, path, early, **fields)],
                        [theirs.fileno()])
        theirs.close()
        return Client(ours)

    def open(self, path="joe", **k):
        c = self.hand(path, **k)
        c.greeting = c.line()
        assert c.greeting.startswith(b"+OK"), c.greeting
        assert self.report() == (ipc.AM_OPENED, self.sessions)
        return c

    def memory(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096

    def stop(self):
        if self.process is None:
            return
        self.supervisor.close()
        while self.read_log():  # first: it cannot end while nobody reads
            pass
        assert self.process.wait(timeout=60) == 0
        log = "\n".join(self.lines)
        assert "Sanitizer" not in log and "runtime error" not in log, log
        os.close(self.log)
        self.auth.close()


@pytest.fixture
def maildrop():
    m = Maildrop()
    try:
        yield m
        m.stop()
    finally:
        if m.process is not None and m.process.poll() is None:
            m.process.kill()
            m.process.wait()
        shutil.rmtree(m.folder)


# Holds: P1939-30 P1939-90 P2449-21
@pytest.mark.parametrize("tcp", [True, False])
def test_one_session(maildrop, tcp):
    maildrop.start()
    c = maildrop.hand(early=b"STAT\r\nDELE 1\r\nQU", sent=b"IT\r\nnever run\r\n", tcp=tcp)
    assert c.line() == b"+OK 2 messages (84 octets)\r\n"
    assert c.line() == b"+OK 2 84\r\n"
    assert c.line() == b"+OK marked deleted\r\n"
    assert c.line() == b"+OK bye\r\n"
    assert maildrop.report() == (ipc.AM_OPENED, 1)
    assert maildrop.report() == (ipc.AM_ENDED, 1)
    assert maildrop.names() == ["1700000002.M1P1.h:2,S"]
    maildrop.expect(r'session 1: user "joe@example.org" from 192\.0\.2\.1, no TLS, by PASS: in \d+, out \d+ '
                    r"octets, retrieved 0, left 1, deleted 1: QUIT$")


def test_sandbox_is_told(maildrop):
    maildrop.start()
    maildrop.expect(f"serving \"{maildrop.folder}\": uid {MAIL_UID}, .*seccomp")


# Holds: P1939-27
def test_half_close_behind_quit(maildrop):
    maildrop.start()
    c = maildrop.open()
    c.send(b"DELE 2\r\nQUIT\r\n")
    c.sock.shutdown(socket.SHUT_WR)
    assert c.rest() == b"+OK marked deleted\r\n+OK bye\r\n"
    assert maildrop.report()[0] == ipc.AM_ENDED
    assert maildrop.names() == ["1700000001.M1P1.h"]


# Holds: P1939-26 P1939-28
@pytest.mark.parametrize("last", [b"", b"QUIT", b"QUIT\r", b"QUIT \n"[:5]])
@pytest.mark.parametrize("end", ["half", "close", "reset"])
def test_anything_but_quit_removes_nothing(maildrop, last, end):
    maildrop.start()
    c = maildrop.open()
    assert c.command(b"DELE 1").startswith(b"+OK")
    c.send(last)
    if end == "half":
        c.sock.shutdown(socket.SHUT_WR)
        assert c.rest() == b""
    elif end == "close":
        c.sock.close()
    else:
        c.reset()
    assert maildrop.report()[0] == ipc.AM_ENDED
    assert len(maildrop.names()) == 2
    maildrop.expect("left 2, deleted 0: (closed without QUIT|connection lost)$")


# Holds: P2449-20 P2449-21 P2449-23 Q-C07
def test_ten_thousand_commands_before_reading(maildrop):
    maildrop.start()
    c = maildrop.open(tcp=False)
    c.send(b"RETR 1\r\nLIST\r\n" * 5000 + b"QUIT\r\n")
    data = c.rest()
    assert data.count(b"+OK 70 octets\r\n") == 5000
    assert data.count(b"\r\n.\r\n") == 10000
    assert data.endswith(b"\r\n.\r\n+OK bye\r\n")


# Holds: P2449-23 P1939-25
def test_clients_that_never_read(maildrop):
    maildrop.put("ann", "1700000001.M1P1.h", LARGE)
    for i in range(8):
        maildrop.put(f"greedy{i}", "1700000001.M1P1.h", LARGE)
    maildrop.start(max_threads=2)
    greedy = [maildrop.open(f"greedy{i}") for i in range(8)]
    for c in greedy:
        c.sock.setblocking(False)
        try:
            for _ in range(1000):
                c.sock.send(b"RETR 1\r\n" * 1000)
        except BlockingIOError:
            pass
    c = maildrop.open("ann")
    c.send(b"RETR 1\r\nQUIT\r\n")
    assert c.rest().endswith(b"\r\n.\r\n+OK bye\r\n")
    if PLAIN_BUILD:
        assert maildrop.memory() < 16 << 20


# Holds: P1939-26
def test_reset_in_the_middle_of_a_message(maildrop):
    maildrop.put("ann", "1700000001.M1P1.h", LARGE)
    maildrop.start()
    for _ in range(20):
        c = maildrop.open("ann")
        c.send(b"DELE 1\r\nRSET\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        c.sock.recv(10)
        c.reset()
        assert maildrop.report()[0] == ipc.AM_ENDED
    assert len(maildrop.names("ann")) == 1
    maildrop.expect("retrieved 0, left 1, deleted 0: connection lost")


def test_message_cut_in_the_middle_has_no_final_dot(maildrop):
    path = maildrop.put("ann", "1700000001.M1P1.h", LARGE * 3)
    maildrop.start()
    c = maildrop.open("ann")
    c.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    assert c.line().startswith(b"+OK")
    os.truncate(path, 50000)
    assert not c.rest().endswith(b"\r\n.\r\n")
    assert len(maildrop.names("ann")) == 1
    maildrop.expect("deleted 0: a message could not be read: .*it was cut")


# Holds: P1939-33 P1939-35 P2449-46 Q-C33
def test_in_use(maildrop):
    maildrop.start(lock_wait=0)
    first = maildrop.open()
    # what was sent behind the login does not turn the answer into a reset
    second = maildrop.hand(sent=b"STAT\r\n" * 1000)
    assert second.rest().startswith(b"-ERR [IN-USE] ")
    assert maildrop.report() == (ipc.AM_ENDED, 2)
    maildrop.expect("left 0, deleted 0: maildrop not opened: locked by another session$")
    assert first.command(b"QUIT").startswith(b"+OK")


# Holds: Q-C30 Q-C33
def test_waits_for_the_lock(maildrop):
    maildrop.start(lock_wait=60000, max_threads=2)
    first = maildrop.open()
    waiting = [maildrop.hand() for _ in range(10)]
    assert first.command(b"STAT") == b"+OK 2 84\r\n"
    gone = waiting.pop()
    gone.reset()
    first.sock.close()
    for _ in range(10):
        ready = select.select([c.sock for c in waiting], [], [], 60)[0]
        if not ready:
            break
        c = next(c for c in waiting if c.sock == ready[0])
        waiting.remove(c)
        assert c.line() == b"+OK 2 messages (84 octets)\r\n"
        assert c.command(b"QUIT") == b"+OK bye\r\n"
        if not waiting:
            break
    assert not waiting


# A client that sends octets but no command is idle.  Holds: P1939-22 P1939-23 P1939-24
@pytest.mark.parametrize("octet", [b"", b"X"])
def test_idle(maildrop, octet):
    maildrop.start(idle_timeout=1)
    c = maildrop.open()
    assert c.command(b"DELE 1").startswith(b"+OK")
    for _ in range(600):
        if select.select([c.sock], [], [], 0.1)[0]:
            break
        with contextlib.suppress(ConnectionError):  # it may be cut just now
            c.send(octet)
    else:
        pytest.fail("never timed out")
    try:
        assert c.rest() == b""
    except ConnectionResetError:
        assert octet != b""
    maildrop.expect("deleted 0: idle for too long$")
    assert len(maildrop.names()) == 2


# Holds: P1939-25
@pytest.mark.parametrize("octet", [b"", b"X"])
@pytest.mark.parametrize("tcp", [True, False])
def test_stalled(maildrop, octet, tcp):
    maildrop.put("ann", "1700000001.M1P1.h", LARGE * 3)
    maildrop.start(write_timeout=1)
    c = maildrop.open("ann", tcp=tcp)
    c.send(b"DELE 1\r\nRSET\r\nRETR 1\r\nQUIT\r\n")
    for _ in range(600):
        if select.select([maildrop.auth], [], [], 0.1)[0]:
            break
        with contextlib.suppress(ConnectionError):  # it may be cut just now
            c.send(octet)
    else:
        pytest.fail("never timed out")
    assert maildrop.report()[0] == ipc.AM_ENDED
    maildrop.expect("deleted 0: took no data for too long$")


# Holds: P1939-26
def test_the_end_of_the_supervisor(maildrop):
    maildrop.start()
    c, waits = maildrop.open(), maildrop.open("empty")
    assert c.command(b"DELE 1").startswith(b"+OK")
    maildrop.stop()
    assert c.rest() == waits.rest() == b""
    assert sum("server ends" in line for line in maildrop.lines) == 2
    assert len(maildrop.names()) == 2
    maildrop.process = None


def test_the_end_of_auth(maildrop):
    maildrop.start()
    c = maildrop.open()
    maildrop.auth.close()
    assert c.command(b"DELE 1").startswith(b"+OK")
    assert c.command(b"QUIT") == b"+OK bye\r\n"
    assert maildrop.process.wait(timeout=60) == 0
    assert maildrop.names() == ["1700000002.M1P1.h:2,S"]


def test_asks_whether_it_may_go_until_it_may(maildrop):
    maildrop.start(linger=0, max_sessions=1)
    assert maildrop.report() == (ipc.AM_IDLE, 0)
    # a session was on its way; then one that is never opened
    c = maildrop.open()
    c.sock.close()
    assert maildrop.report()[0] == ipc.AM_ENDED
    assert maildrop.report() == (ipc.AM_IDLE, 0)
    assert maildrop.hand("../joe").line().startswith(b"-ERR [SYS/TEMP] ")
    assert maildrop.report()[0] == ipc.AM_ENDED
    assert maildrop.report() == (ipc.AM_IDLE, 0)
    maildrop.auth.close()
    assert maildrop.process.wait(timeout=60) == 0


def test_too_many_sessions(maildrop):
    maildrop.start(max_sessions=2)
    held = [maildrop.open(f"empty{i}") for i in range(2)]
    assert maildrop.hand().rest().startswith(b"-ERR [SYS/TEMP] ")
    assert maildrop.report() == (ipc.AM_ENDED, 3)
    held.pop().sock.close()
    assert maildrop.report()[0] == ipc.AM_ENDED
    maildrop.open()


@pytest.mark.parametrize("path", ["", "/joe", "..", "../joe", "joe/../joe", "joe/..", "joe//../../etc"])
def test_no_path_leads_out(maildrop, path):
    maildrop.start()
    assert maildrop.hand(path).rest().startswith(b"-ERR [SYS/TEMP] ")
    assert maildrop.report() == (ipc.AM_ENDED, 1)
    maildrop.expect("session 1: not taken: malformed handoff")
    maildrop.open()


def test_no_link_leads_out(maildrop):
    (maildrop.folder / "link").symlink_to("/etc")
    (maildrop.folder / "inside").symlink_to("joe")
    maildrop.start()
    assert maildrop.hand("link").rest().startswith(b"-ERR [SYS/PERM] ")
    assert maildrop.report() == (ipc.AM_ENDED, 1)
    maildrop.open("inside")


def test_malformed_handoffs(maildrop):
    maildrop.start()
    whole = ipc.handoff(7, "joe", b"STAT\r\n")
    for cut in range(1, len(whole)):
        assert maildrop.hand(packet=whole[:cut]).rest() == b""
    assert maildrop.hand(packet=whole + b"x").rest() == b""
    assert maildrop.hand(packet=ipc.u8(9) + whole[1:]).rest() == b""
    assert maildrop.hand(packet=ipc.handoff(7, "joe", lang=200)).rest().startswith(b"-ERR")
    assert maildrop.report() == (ipc.AM_ENDED, 7)
    maildrop.auth.send(whole)  # no descriptor
    maildrop.auth.send(whole + bytes(60000))
    # not a socket
    read, write = os.pipe()
    socket.send_fds(maildrop.auth, [whole], [write])
    os.close(write)
    assert os.read(read, 10) == b""
    os.close(read)
    with open("/dev/null", "rb") as null:
        socket.send_fds(maildrop.auth, [ipc.handoff(8, "joe")], [null.fileno()])
    ended = [maildrop.report() for _ in range(3)]
    assert (ipc.AM_ENDED, 8) in ended and (ipc.AM_ENDED, 7) in ended
    maildrop.sessions = 8
    maildrop.open()


# What an idle session costs, besides its maildrop.
@pytest.mark.skipif(not PLAIN_BUILD, reason="sanitizers need memory of their own")
def test_memory_of_idle_sessions(maildrop):
    maildrop.start(max_sessions=5000, max_threads=2)
    held = [maildrop.open(f"empty{i}", tcp=False) for i in range(100)]
    before = maildrop.memory()
    held += [maildrop.open(f"empty{i}", tcp=False) for i in range(100, 400)]
    assert maildrop.memory() - before < 300 * 2048
    for c in held:
        assert c.command(b"STAT") == b"+OK 0 0\r\n"

"""Sessions of all kinds at once, with clients and processes that end in the middle: what may never
happen, and what must be as before when it is over."""
import os
import pathlib
import random
import select
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

from test_crash import children

USERS = 6
MESSAGES = 12
SECONDS = 8  # that new sessions are begun; nothing below depends on how many there will be
PROGRAMS = ["restante-login", "restante-auth", "restante-maildrop"]


def user(n):
    return f"user{n}@example.org"


def body(n, i):
    return b"Subject: %d-%d\r\n\r\n" % (n, i) + (b"." * (i % 3) + b"line %d\r\n" % i) * (40 * i * i)


def on_the_wire(content):
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Soak:
    def __init__(self, server):
        self.server = server
        self.end = time.monotonic() + SECONDS
        self.lock = threading.Lock()
        self.wrong = []  # what no client may ever see
        self.asked = [set() for _ in range(USERS)]  # removed by a QUIT that was sent
        self.told = [set() for _ in range(USERS)]  # and whose +OK came
        self.sessions = 0

    def client(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end and not self.wrong:
            n = rng.randrange(USERS)
            try:
                self.session(rng, n)
            except (EOFError, OSError):
                pass  # cut off, by us or by the death of a process: that is what this is about
            except Exception as e:  # pylint: disable=broad-except
                self.wrong.append(repr(e))

    def session(self, rng, n):
        kind = rng.choice(["quit", "fetch", "fetch", "remove", "cut", "reset", "half", "wrong", "stls", "noise"])
        tls = rng.random() < 0.5
        c = self.server.connect(tls and kind != "stls")
        try:
            if kind == "quit":
                c.send("QUIT\r\n")
                c.rest()
                return
            if kind == "noise":
                c.send(rng.randbytes(200))
                return
            if kind == "stls":
                if rng.random() < 0.3:
                    c.send("STLS\r\n" + "\x16\x03\x01")
                    return
                c.command("STLS")
                if rng.random() < 0.3:
                    return
                c.start_tls()
            password = "wrong" if kind == "wrong" else "secret"
            c.send(f"USER {user(n)}\r\nPASS {password}\r\n")
            c.line()
            if kind == "half" and rng.random() < 0.5:
                return
            if not c.line().startswith(b"+OK"):
                return
            self.transaction(rng, n, c, kind)
        finally:
            if kind == "reset":
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
            with self.lock:
                self.sessions += 1

    def transaction(self, rng, n, c, kind):
        first, uids = c.multi("UIDL")
        names = [int(u.split()[1].decode().split(".")[0]) - 1700000000 for u in uids]
        if kind == "cut":
            c.send("".join(f"RETR {i + 1}\r\n" for i in range(len(names))))
            c.sock.recv(rng.randrange(1, 100000))
            return
        if kind == "half":
            c.send("".join(f"DELE {i + 1}\r\n" for i in range(len(names))) + "QUI")
            c.sock.shutdown(socket.SHUT_WR)
            return
        if kind == "reset":
            c.send("".join(f"DELE {i + 1}\r\nRETR {i + 1}\r\n" for i in range(len(names))))
            return
        for i in rng.sample(range(len(names)), min(len(names), 3)):
            status, lines = c.multi(f"RETR {i + 1}")
            if status.startswith(b"+OK") and b"".join(lines) != on_the_wire(body(n, names[i])):
                self.wrong.append(f"message {names[i]} of {user(n)} came out wrong")
        if kind == "remove" and names and rng.random() < 0.1:
            if c.command("DELE 1").startswith(b"+OK"):
                with self.lock:
                    self.asked[n].add(names[0])
                if c.command("QUIT").startswith(b"+OK"):
                    with self.lock:
                        self.told[n].add(names[0])
                return
        c.command("QUIT")


def killer(soak, seed):
    """Ends processes, and has the settings read again, as long as there are clients."""
    rng = random.Random(seed)
    while time.monotonic() < soak.end and not soak.wrong:
        try:
            soak.server.login(user(0), "secret").close()  # paces it by what the server can do
            if rng.random() < 0.1:
                soak.server.process.send_signal(signal.SIGHUP)
            found = children(soak.server, rng.choice(PROGRAMS))
            if found and rng.random() < 0.3:
                os.kill(rng.choice(found), signal.SIGKILL)
        except (EOFError, OSError, AssertionError):
            pass


def reader(soak, stop):
    while not stop.is_set():
        if select.select([soak.server.process.stderr], [], [], 0.1)[0]:
            soak.server.read_log(time.monotonic() + 60)


def settle(server, what, want):
    """Waits until what() is as wanted: the ends of sessions take their time to be known."""
    deadline = time.monotonic() + 60
    while (is_now := what()) != want:
        assert time.monotonic() < deadline, f"{is_now} instead of {want}:\n" + "\n".join(server.lines[-30:])


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [False, True], ids=["all live", "some are killed"])
def test_soak(server, deaths):
    server.users = {user(n): "{PLAIN}secret" for n in range(USERS)}
    server.settings["max-connections-per-address"] = "5000"
    for n in range(USERS):
        for i in range(MESSAGES):
            server.put(body(n, i), f"{1700000000 + i}.M1P1.h", "cur" if i % 2 else "new", user(n))
    server.start()

    def counts():
        return {name: sorted(descriptors(p) for p in children(server, name)) for name in PROGRAMS}

    for n in range(USERS):
        c = server.login(user(n), "secret")
        assert c.command("QUIT").startswith(b"+OK")
        c.rest()
        c.close()
    before = counts()
    soak, stop = Soak(server), threading.Event()
    threads = [threading.Thread(target=soak.client, args=(i,)) for i in range(12)]
    if deaths:
        server.crash_is_expected()
        threads.append(threading.Thread(target=killer, args=(soak, 99)))
    log = threading.Thread(target=reader, args=(soak, stop))
    for t in [*threads, log]:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    log.join()
    assert not soak.wrong, soak.wrong
    assert soak.sessions > 20
    # served again, every maildrop is free, and holds what nobody has asked to be removed
    for n in range(USERS):
        settle(server, lambda n=n: locked(server, n), False)
        names = {int(f.split(".")[0]) - 1700000000
                 for d in ("new", "cur") for f in os.listdir(server.maildir(user(n)) / d)}
        assert set(range(MESSAGES)) - soak.asked[n] <= names
        assert not names & soak.told[n]
    if not deaths:
        settle(server, counts, before)
    else:
        settle(server, lambda: {k: len(v) for k, v in counts().items()}, {k: len(v) for k, v in before.items()})
    for p in children(server, "restante-login"):
        assert any(pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"
                   for _ in range(100000))


def locked(server, n):
    """Whether a login does not get the maildrop; sessions from before may still be ending."""
    try:
        c = server.login(user(n), "secret")
        if not c.greeting.startswith(b"+OK"):
            return True
        assert c.command("QUIT").startswith(b"+OK")
        c.rest()
        c.close()
        return False
    except (EOFError, OSError, AssertionError, ssl.SSLError):
        return True

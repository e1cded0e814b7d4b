"""restante fetch against servers that err, and against real ones; and killed at any command."""
import grp
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading

import pytest

from conftest import BUILD, TOP
from faultserver import Drop, FaultServer, stuffed

RESTANTE = BUILD / "src/client/restante"
OK, UNAVAILABLE, CANTCREAT, TEMPFAIL, PROTOCOL, NOPERM = 0, 69, 73, 75, 76, 77


def mail(n, body=b"text\r\n"):
    return b"From: a@example.org\r\nSubject: %d\r\n\r\n" % n + body


def mails(count, **kw):
    return [(b"uid%d" % n, mail(n, **kw)) for n in range(1, count + 1)]


class Client:
    def __init__(self, folder):
        self.folder = folder
        self.maildir = folder / "Maildir"
        self.state = folder / "state" / "s.db"
        self.password = folder / "password"
        self.password.write_text("correct horse\n")
        self.password.chmod(0o600)

    def command(self, url, *options, verb="fetch", last=None):
        last = [self.maildir] if verb == "fetch" else [] if last is None else [last]
        return [RESTANTE, verb, "--password-file", self.password, "--timeout", "60", "--json", "-v",
                *(["--state", self.state] if verb == "fetch" else []), *options, url, *last]

    def run(self, server, *options, url=None, plaintext=True, **kw):
        url = url or f"pop://joe@127.0.0.1:{server.port}"
        p = subprocess.run(self.command(url, *(["--plaintext"] if plaintext else []), *options, **kw),
                           capture_output=True, timeout=120)
        assert b"Sanitizer" not in p.stderr and b"runtime error" not in p.stderr, p.stderr.decode()
        p.lines = [json.loads(line) for line in p.stdout.splitlines()] if kw.get("verb") != "show" else []
        if kw.get("verb") != "show":
            assert p.lines[-1]["type"] == "result" and p.lines[-1]["status"] == p.returncode
            p.result = p.lines[-1]
        assert b"correct horse" not in p.stderr + p.stdout
        return p

    def start(self, server, *options):
        return subprocess.Popen(self.command(f"pop://joe@127.0.0.1:{server.port}", "--plaintext", *options),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def files(self):
        return sorted(f for d in ("new", "cur") for f in (self.maildir / d).glob("*"))

    def contents(self):
        return sorted(f.read_bytes() for f in self.files())

    def stages(self):
        with sqlite3.connect(self.state) as db:
            return dict(db.execute("SELECT CAST(uid AS TEXT), stage FROM message"))


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


def stored(messages):
    return sorted(m[1].replace(b"\r\n", b"\n") for m in messages)


# Holds: P1939-61 P1939-64 P1939-95 P2449-22
@pytest.mark.parametrize("options", [(), ("--no-pipelining",)])
def test_fetch_keeps_and_knows(client, options):
    with FaultServer(mails(70)) as server:
        p = client.run(server, *options)
        assert p.returncode == OK and p.result["delivered"] == 70
        assert client.contents() == stored(server.messages)
        again = client.run(server, *options)
        assert again.returncode == OK and again.result["delivered"] == 0 and again.result["known"] == 70
        server.messages.append((b"late", mail(71)))
        assert client.run(server, *options).result["delivered"] == 1
        assert client.contents() == stored(server.messages)
        assert len(server.messages) == 71 and not [c for c in server.commands if c.startswith(b"DELE")]


# Holds: P1939-97 Q-S71
def test_fetch_deletes_what_is_safe(client):
    messages = mails(5)
    with FaultServer(messages) as server:
        p = client.run(server, "--delete")
        assert p.returncode == OK and p.result["deleted"] == 5
        assert server.messages == [] and client.contents() == stored(messages)
        assert b"RSET" not in server.commands
        assert client.run(server, "--delete").returncode == OK
        assert client.stages() == {}, "what is gone is forgotten"


def test_nothing_there_is_no_error(client):
    with FaultServer([]) as server:
        assert client.run(server).returncode == OK


def test_contents_arrive_as_they_are(client):
    messages = [
        (b"a", b"\r\n"),
        (b"b", b"H: x\r\n\r\n.\r\n..\r\n.a\r\n\r\n"),
        (b"c", b"H: x\r\n\r\nlone\rcr and\nlf\n.\nmore\r\r\nend\r\r\r\n"),
        (b"d", b"H: x\r\n\r\nnul \0 and \xff\r\n"),
        (b"e", b"H: x\r\n\r\n" + b"long" * 400_000 + b"\r\n"),
        (b"f", b"H: x\r\n\r\n" + b"\r" * 40_000 + b"\r\n"),
        (b"g", b"no header"b"\r\n"),
    ]
    with FaultServer(messages) as server:
        assert client.run(server).returncode == OK
        assert client.contents() == stored(messages)


# A message that cannot be had stops no other.  Holds: Q-S60 Q-S64
@pytest.mark.parametrize("answer", [b"-ERR it is broken\r\n", b"+OK\r\n.\r\n"])
@pytest.mark.parametrize("options", [(), ("--no-pipelining",)])
def test_poison_message(client, answer, options):
    messages = mails(6)
    with FaultServer(messages) as server:
        server.on(b"RETR 3", answer)
        p = client.run(server, "--delete", *options)
        assert p.returncode == TEMPFAIL and p.result["delivered"] == 5 and p.result["failed"] == 1
        assert server.messages == [messages[2]], "never deleted"
        server.hooks.clear()
        assert client.run(server, "--delete").returncode == OK
        assert client.contents() == stored(messages) and server.messages == []


# Holds: Q-S52 Q-S62 P1939-95
@pytest.mark.parametrize("part", [
    b"", b"+OK", b"+OK\r\n", b"+OK\r\nFrom: a\r\n", b"+OK\r\nFrom: a\r\n\r\nx\r\n.", b"+OK\r\nF: a\r\n\r\nx\r\n.\r"])
def test_connection_ends_in_a_message(client, part):
    messages = mails(4)
    with FaultServer(messages) as server:
        server.on(b"RETR 3", Drop(part))
        p = client.run(server, "--delete", "--no-pipelining")
        assert p.returncode == TEMPFAIL
        assert client.contents() == stored(messages[:2])
        assert len(server.messages) == 4 and b"QUIT" not in server.commands
        assert not list((client.maildir / "tmp").iterdir())
        server.hooks.clear()
        assert client.run(server, "--delete").returncode == OK
        assert client.contents() == stored(messages) and server.messages == []


def test_silence_in_a_message_is_no_end(client):
    with FaultServer(mails(2)) as server:
        silent = threading.Event()

        @server.hook
        def hook(line):
            if line == b"RETR 2":
                silent.wait(60)
                raise Drop(b"")
        try:
            p = client.run(server, "--timeout", "1")
        finally:
            silent.set()
        assert p.returncode == TEMPFAIL and p.result["delivered"] == 1


# A server that does not stuff: the stream is out of step, and nothing behind it is believed.  What
# arrived of that message is a part of it, so it is not deleted; the others are.
# Holds: Q-S51 Q-S80
def test_unstuffed_dot(client):
    messages = mails(4)
    messages[1] = (b"uid2", mail(2, b"a\r\n.\r\nb\r\n"))
    with FaultServer(messages) as server:
        server.on(b"RETR 2", b"+OK\r\n" + messages[1][1] + b".\r\n")
        p = client.run(server, "--delete")
        assert p.returncode == TEMPFAIL and p.result["failed"] == 1
        assert server.sessions == 2, "once more in lockstep"
        assert server.messages == [messages[1]] and client.stages()["uid2"] == 5
        assert set(stored(messages[:1] + messages[2:])) < set(client.contents())
        again = client.run(server, "--delete")
        assert again.returncode == TEMPFAIL and len(client.files()) == 4 and len(server.messages) == 1


@pytest.mark.parametrize("number", [1, 4])
def test_unstuffed_dot_in_lockstep(client, number):
    messages = mails(4)
    with FaultServer(messages) as server:
        server.on(b"RETR %d" % number, b"+OK\r\na\r\n.\r\nb\r\n.\r\n")
        p = client.run(server, "--delete", "--no-pipelining")
        assert p.returncode == PROTOCOL and len(server.messages) == 4 and b"QUIT" not in server.commands
        p = client.run(server, "--delete", "--no-pipelining")
        assert p.returncode == TEMPFAIL and server.messages == [messages[number - 1]]


# Holds: Q-S50 Q-M09
def test_bare_lf_dot_ends_nothing(client):
    messages = mails(3, body=b"a\n.\nb\n.\r\n-ERR x\r\n\n.\n")
    messages = [(u, c + b"\r\n") for u, c in messages]
    with FaultServer(messages) as server:
        assert client.run(server).returncode == OK
        assert client.contents() == stored(messages)


# Holds: P1939-84 Q-S38
def test_twins(client):
    messages = [(b"same", mail(1)), (b"same", mail(2)), (b"other", mail(3)), (b"same", mail(4))]
    with FaultServer(messages) as server:
        assert client.run(server).returncode == OK
        assert client.contents() == stored(messages)
        assert client.run(server).result["delivered"] == 0
        server.on(b"RETR 5", b"-ERR not this one\r\n")
        server.messages.append((b"same", mail(5)))
        p = client.run(server, "--delete")
        assert p.returncode == TEMPFAIL and p.result["deleted"] == 1
        assert [m[0] for m in server.messages] == [b"same"] * 4, "which is which is not sure"
        server.hooks.clear()
        assert client.run(server, "--delete").returncode == OK
        assert server.messages == [] and len(client.files()) == 5


# Holds: Q-S30 Q-S31 Q-S32 Q-S33 Q-S37 Q-S40 Q-S41 Q-S42
def test_odd_listings(client):
    messages = mails(4)
    with FaultServer(messages) as server:
        server.on(b"STAT", b"+OK many messages\r\n")
        server.on(b"UIDL", b"+OK\r\n\r\n+OK 1   a b\r\n 2\t\xff\xfe\r\n4 ccc\r\nx y\r\n.\r\n")
        server.on(b"LIST", b"+OK\r\n1 7 octets\r\n2 99999999999999999999999\r\n4\r\n.\r\n")
        p = client.run(server)
        assert p.returncode == OK and p.result["delivered"] == 3
        assert client.run(server).result["delivered"] == 0


# Holds: Q-S05 Q-S36
def test_no_unique_ids(client):
    messages = mails(3)
    with FaultServer(messages, capa=("USER",)) as server:
        server.on(b"UIDL", b"-ERR what?\r\n")
        p = client.run(server)
        assert p.returncode == UNAVAILABLE and client.files() == []
        assert client.run(server, "--delete").returncode == OK
        assert client.contents() == stored(messages) and server.messages == []


def test_announced_unique_ids_that_fail(client):
    with FaultServer(mails(3)) as server:
        server.on(b"UIDL", b"-ERR not now\r\n")
        assert client.run(server, "--delete").returncode == TEMPFAIL
        assert len(server.messages) == 3


# Holds: P2449-04 Q-S04 P1939-15
def test_capa_unknown_or_unbearable(client):
    with FaultServer(mails(2), capa=None) as server:
        assert client.run(server).result["delivered"] == 2
    with FaultServer(mails(3)) as server:
        server.on(b"CAPA", Drop(b""))
        assert client.run(server, "--state", client.folder / "2.db").result["delivered"] == 3
        assert server.commands.count(b"CAPA") == 1


# Holds: P1939-31 Q-S12 Q-S26 Q-S27
def test_refusals(client):
    with FaultServer([], greeting=b"-ERR too busy\r\n") as server:
        assert client.run(server).returncode == TEMPFAIL
        assert server.commands == []
    for answer, status in [(b"-ERR [AUTH] no\r\n", NOPERM), (b"-ERR [IN-USE] x\r\n", TEMPFAIL),
                           (b"-ERR [LOGIN-DELAY] x\r\n", TEMPFAIL), (b"-ERR [SYS/TEMP] x\r\n", TEMPFAIL),
                           (b"-ERR mailbox locked\r\n", TEMPFAIL), (b"-ERR [x] bad password\r\n", NOPERM)]:
        with FaultServer([]) as server:
            server.on(b"PASS correct horse", answer)
            assert client.run(server).returncode == status, answer
    with FaultServer(mails(1)) as server:
        server.on(b"STAT", b"-ERR login allowed only every 15 minutes\r\n")
        assert client.run(server).returncode == TEMPFAIL


# Holds: P1939-95 Q-S73 Q-S75
@pytest.mark.parametrize("answer", [b"-ERR some were not deleted\r\n", Drop(b"")])
def test_quit_without_ok(client, answer):
    messages = mails(3)
    with FaultServer(messages) as server:
        server.on(b"QUIT", answer)
        assert client.run(server, "--delete").returncode == TEMPFAIL
        assert len(server.messages) == 3 and set(client.stages().values()) == {3}
        server.hooks.clear()
        retrieved = len([c for c in server.commands if c.startswith(b"RETR")])
        assert client.run(server).returncode == OK, "without --delete nothing is deleted"
        assert len(server.messages) == 3
        p = client.run(server, "--delete")
        assert p.returncode == OK and p.result["deleted"] == 3 and server.messages == []
        assert len([c for c in server.commands if c.startswith(b"RETR")]) == retrieved
        assert client.contents() == stored(messages)


# A server that takes unique-ids again for other messages loses none of them.  Holds: Q-S75
def test_unique_id_taken_again(client):
    with FaultServer([(b"1", mail(1))]) as server:
        assert client.run(server, "--delete").returncode == OK
        server.messages = [(b"1", mail(1000))]
        p = client.run(server, "--delete")
        assert p.result["delivered"] == 1 and server.messages == [] and len(client.files()) == 2


def test_dele_refused(client):
    messages = mails(3)
    with FaultServer(messages) as server:
        server.on(b"DELE 2", b"-ERR no\r\n")
        p = client.run(server, "--delete")
        assert p.returncode == TEMPFAIL and p.result["deleted"] == 2
        assert server.messages == [messages[1]] and client.stages()["uid2"] == 2


# Killed when the server has seen a command, whichever; and again, until all is done.
# Holds: P1939-95
@pytest.mark.parametrize("options", [(), ("--delete",), ("--no-pipelining",), ("--delete", "--no-pipelining")])
def test_killed_at_every_command(client, options):
    messages = mails(4)
    with FaultServer(messages) as server:
        running = {}
        armed = threading.Event()

        @server.hook
        def hook(line):
            if len(server.commands) == running["at"]:
                armed.wait(60)
                running["process"].send_signal(signal.SIGKILL)
                running["process"].wait()
                raise Drop(b"")
        for at in range(1, 100):
            armed.clear()
            server.commands.clear()
            running["at"] = at
            process = running["process"] = client.start(server, *options)
            armed.set()
            if process.wait(60) != -signal.SIGKILL:
                break
            delivered = client.contents()
            assert len(delivered) == len(set(delivered)), "twice"
        assert process.returncode == OK and at > 8
        assert client.contents() == stored(messages)
        assert (server.messages == []) == ("--delete" in options)


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    library = tmp_path_factory.mktemp("killer") / "killer.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, TOP / "tests/system/killer.c"], check=True)
    return library


# Killed before every single change to the disk, of the Maildir and of the state; and then
# let run.  Holds: P1939-95
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--delete",)])
def test_killed_at_every_change(tmp_path, killer, options):
    messages = mails(2)
    for at in range(1, 1000):
        (tmp_path / str(at)).mkdir()
        client = Client(tmp_path / str(at))
        with FaultServer(messages) as server:
            first = subprocess.run(
                client.command(f"pop://joe@127.0.0.1:{server.port}", "--plaintext", *options),
                env={**os.environ, "LD_PRELOAD": str(killer), "KILL_AT": str(at)},
                capture_output=True, timeout=60)
            assert first.returncode in (OK, -signal.SIGKILL), first.stderr.decode()
            assert client.run(server, *options).returncode == OK
            assert client.contents() == stored(messages), f"killed at change {at}"
            assert (server.messages == []) == ("--delete" in options)
        if first.returncode == OK:
            break
    assert at > 30


# What a crash between two steps leaves behind, made by hand.
def test_intents_are_settled_by_what_is_there(client):
    messages = mails(4)
    with FaultServer(messages) as server:
        assert client.run(server).returncode == OK
        names = {}
        with sqlite3.connect(client.state) as db:
            for uid, name in db.execute("SELECT CAST(uid AS TEXT), name FROM message"):
                names[uid] = name
            db.execute("UPDATE message SET stage = 1")
        new = client.maildir / "new"
        (new / names["uid2"]).rename(client.maildir / "cur" / (names["uid2"] + ":2,FS"))
        (new / names["uid3"]).rename(client.maildir / "tmp" / names["uid3"])
        (new / names["uid4"]).unlink()
        p = client.run(server)
        assert p.result["delivered"] == 2 and p.result["known"] == 2
        assert client.contents() == stored(messages)
        assert set(client.stages().values()) == {2}


def test_two_runs_at_once(client):
    messages = mails(20)
    with FaultServer(messages) as server:
        seen, go = threading.Event(), threading.Event()

        @server.hook
        def hook(line):
            if line == b"RETR 5":
                seen.set()
                go.wait(60)
        first = client.start(server)
        assert seen.wait(60)
        p = client.run(server)
        go.set()
        assert p.returncode == TEMPFAIL and "another run" in p.result["reason"]
        assert first.wait(60) == OK
        assert client.contents() == stored(messages)


def test_accounts_are_apart(client):
    with FaultServer(mails(2)) as server:
        assert client.run(server).returncode == OK
        p = client.run(server, url=f"pop://jill@127.0.0.1:{server.port}")
        assert p.result["delivered"] == 2


def test_folder_that_is_no_maildir(client):
    client.maildir.mkdir()
    (client.maildir / "precious").write_text("x")
    with FaultServer(mails(1)) as server:
        assert client.run(server).returncode == CANTCREAT
        assert os.listdir(client.maildir) == ["precious"] and server.commands == []


# Holds: P2595-13 P8314-09 P8314-10 P8314-11 Q-S09
def test_no_credentials_without_tls(client):
    with FaultServer(mails(1)) as server:
        assert client.run(server, plaintext=False).returncode == UNAVAILABLE
        assert set(server.commands) <= {b"CAPA", b"STLS"}
    with FaultServer(mails(1), capa=None) as server:
        assert client.run(server, plaintext=False).returncode == UNAVAILABLE
        assert set(server.commands) == {b"CAPA", b"STLS"}


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


# Holds: P2595-11 P8314-02 P8314-09 P2595-16 Q-S07 P5034-22
@pytest.mark.parametrize("implicit", [False, True])
def test_tls(client, certificate, implicit):
    scheme = "pops" if implicit else "pop"
    ca = ("--ca-file", certificate / "cert.pem")
    with FaultServer(mails(3), context=server_context(certificate), implicit=implicit) as server:
        p = client.run(server, *ca, url=f"{scheme}://joe@localhost:{server.port}", plaintext=False)
        assert p.returncode == OK and p.result["delivered"] == 3
        assert server.commands.count(b"STLS") == (0 if implicit else 1)
        if not implicit:
            assert server.commands[:3] == [b"CAPA", b"STLS", b"CAPA"]


# An unknown authority, and a name that the certificate does not have; permission for cleartext is
# none for a certificate that is not good.
# Holds: P8314-09 P8314-10 P2595-16 Q-S08
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("plaintext", [False, True])
def test_distrust(client, certificate, implicit, plaintext):
    other, context = other_certificate(client.folder)
    for context, host, options in [(server_context(certificate), "localhost", ()),
                                   (server_context(certificate), "localhost", ("--ca-file", other)),
                                   (context, "localhost", ("--ca-file", other)),
                                   (context, "127.0.0.1", ("--ca-file", other))]:
        with FaultServer(mails(3), context=context, implicit=implicit) as server:
            url = f"{'pops' if implicit else 'pop'}://joe@{host}:{server.port}"
            p = client.run(server, *options, url=url, plaintext=plaintext)
            assert p.returncode == UNAVAILABLE and "certificate" in p.result["reason"]
            assert set(server.commands) <= {b"CAPA", b"STLS"}


def other_certificate(folder):
    """Of another host, with a common name that is ours: that counts for nothing."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", folder / "other.key", "-out", folder / "other.pem", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:other.example"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "other.pem", folder / "other.key")
    return folder / "other.pem", context


# Holds: P2595-07 Q-M04
@pytest.mark.parametrize("injected", [b"+OK you are in\r\n", b"x", b"+OK\r\n" * 500])
def test_octets_behind_stls(client, certificate, injected):
    with FaultServer(mails(3), context=server_context(certificate)) as server:
        server.injected = injected
        p = client.run(server, "--ca-file", certificate / "cert.pem",
                       url=f"pop://joe@localhost:{server.port}", plaintext=False)
        assert p.returncode == PROTOCOL and "in clear" in p.result["reason"]
        assert server.commands == [b"CAPA", b"STLS"]


# What a server says drives no terminal.
def test_server_text_is_harmless(client):
    with FaultServer([(b"\x9b2J\xff\xc2\x9b", mail(1)), (b"b", mail(2))],
                     greeting=b"+OK \x1b]0;owned\x07 \xc2\x9b2J\r\n") as server:
        server.on(b"RETR 2", b"-ERR \x1b[31m\x9b no\r\n")
        p = client.run(server)
        assert p.returncode == TEMPFAIL and p.result["delivered"] == 1
        for out in (p.stderr, p.stdout):
            assert not [c for c in out.decode() if (ord(c) < 0x20 and c != "\n") or 0x7f <= ord(c) < 0xa0]


def test_list_and_show(client):
    messages = mails(2)
    with FaultServer(messages) as server:
        p = client.run(server, verb="list")
        assert [(e["number"], e["octets"], e["unique-id"]) for e in p.lines[:-1]] == [
            (1, len(messages[0][1]), "uid1"), (2, len(messages[1][1]), "uid2")]
        p = client.run(server, verb="show", last="2")
        assert p.returncode == OK and p.stdout == stored(messages[1:])[0]
        assert client.run(server, verb="show", last="3").returncode == UNAVAILABLE
        assert len(server.messages) == 2


def test_passwords(client):
    with FaultServer([]) as server:
        client.password.chmod(0o640)
        assert client.run(server).returncode == 78 and server.sessions == 0
        client.password.unlink()
        assert client.run(server).returncode == 66
        url = f"pop://joe@127.0.0.1:{server.port}"
        for command, status in [("echo correct horse", OK), ("echo wrong", NOPERM), ("exit 1", 78), ("true", 78),
                                ("printf 'correct horse\\r\\nmore\\n'", OK)]:
            p = subprocess.run([RESTANTE, "list", "--plaintext", "--password-command", command, url],
                               capture_output=True, timeout=60)
            assert p.returncode == status, command
        p = subprocess.run(["setsid", "-w", RESTANTE, "list", "--plaintext", url], capture_output=True, timeout=60)
        assert p.returncode == 64 and b"no terminal" in p.stderr


@pytest.mark.parametrize("arguments", [
    [], ["fetch"], ["fetch", "pop://a@h"], ["fetch", "pop://a:b@h", "x"], ["list", "h"], ["show", "pop://a@h", "0"],
    ["--delete", "list", "pop://a@h"], ["steal", "pop://a@h"], ["list", "--nonsense", "pop://a@h"],
    ["list", "--timeout", "0", "pop://a@h"], ["list", "pop://a@h", "more"]])
def test_usage(arguments):
    p = subprocess.run([RESTANTE, *arguments], capture_output=True, timeout=60)
    assert p.returncode == 64 and p.stdout == b"" and p.stderr


def test_help_and_version():
    for word in ("--help", "--version"):
        p = subprocess.run([RESTANTE, word], capture_output=True, timeout=60)
        assert p.returncode == OK and b"restante" in p.stdout and p.stderr == b""


# Against our own server, by every way to log in that it has.
def test_our_server(client, server):
    server.two_messages()
    server.start()
    ca = ("--ca-file", server.certificate / "cert.pem")
    for n, (scheme, port) in enumerate([("pop", server.port), ("pops", server.tls_port)]):
        url = f"{scheme}://joe%40example.org@localhost:{port}"
        p = client.run(server, *ca, "--state", client.folder / f"{n}.db", url=url, plaintext=False)
        assert p.returncode == OK and p.result["delivered"] == 2, p.stderr.decode()
    assert b"".join(client.contents()).count(b"\n.hidden\n.\n..two\n") == 2
    p = client.run(server, *ca, "--delete", url=url, plaintext=False)
    assert p.returncode == OK and p.result["deleted"] == 2
    assert not list(server.maildir().glob("*/17*"))


def auth_lines(p):
    return [line for line in p.stderr.decode().splitlines() if line.startswith("C: AUTH") or line.startswith("C: USER")]


# Holds: P1734-02 P5034-20 P5034-16 P5802-05 P2384-04 P9266-01 P7677-01
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                       "PLAIN", "CRAM-MD5", None])
def test_mechanisms(client, server, mechanism):
    server.put(mail(1), "1700000001.M1P1.h")
    server.settings["mechanisms"] = '{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5"}'
    server.start()
    ca = ("--ca-file", server.certificate / "cert.pem")
    auth = "" if mechanism is None else f";AUTH={mechanism.lower()}"
    url = f"pops://joe%40example.org{auth}@localhost:{server.tls_port}"
    p = client.run(server, *ca, url=url, plaintext=False)
    assert p.returncode == OK and p.result["delivered"] == 1, p.stderr.decode()
    assert auth_lines(p) == [f"C: AUTH {mechanism or 'SCRAM-SHA-256-PLUS'}" +
                             ("" if mechanism == "CRAM-MD5" else " ****")]
    client.password.write_text("wrong\n")
    p = client.run(server, *ca, url=url, plaintext=False)
    assert p.returncode == NOPERM
    # who is told one mechanism uses no other; else the password itself is tried once
    assert len(auth_lines(p)) == (2 if mechanism is None else 1)


DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin")


@pytest.fixture
def dovecot(certificate):
    """Dovecot with one mailbox, as whoever runs the test."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="restante-dovecot-"))
    base.chmod(0o755)
    (base / "mail").mkdir()
    ports = [free_port(), free_port()]
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    inner = user if os.geteuid() else "dovenull"
    (base / "users").write_text(
        f"joe:{{PLAIN}}correct horse:{os.geteuid() or 65534}:{os.getegid() or 65534}::{base}/mail\n")
    (base / "users").chmod(0o644)
    if os.geteuid() == 0:
        os.chown(base / "mail", 65534, 65534)
    (base / "dovecot.conf").write_text(f"""
base_dir = {base}/run
log_path = {base}/log
protocols = pop3
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {inner}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
ssl = yes
ssl_cert = <{certificate}/cert.pem
ssl_key = <{certificate}/key.pem
auth_mechanisms = plain scram-sha-256 scram-sha-1 cram-md5
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {ports[0]}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {ports[1]}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""")
    process = subprocess.Popen([DOVECOT, "-F", "-c", base / "dovecot.conf"], stderr=subprocess.PIPE)
    for port in ports:
        while True:  # it does not say when it is ready
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.stderr.read() + (base / "log").read_bytes()
    yield base, ports
    process.terminate()
    process.wait(60)
    process.stderr.close()
    shutil.rmtree(base)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


@pytest.mark.skipif(DOVECOT is None, reason="no Dovecot")
@pytest.mark.parametrize("scheme", ["pop", "pops"])
@pytest.mark.parametrize("mechanism", ["", ";AUTH=SCRAM-SHA-1", ";AUTH=PLAIN", ";AUTH=CRAM-MD5"])
def test_dovecot(client, certificate, dovecot, scheme, mechanism):
    base, ports = dovecot
    folder = base / "mail/Maildir/new"
    folder.mkdir(parents=True)
    contents = [b"Subject: %d\n\n.\n..x\nlast %d" % (n, n) for n in range(100)]
    for n, content in enumerate(contents):
        (folder / f"{1700000000 + n}.M1P1.h").write_bytes(content)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "65534:65534", base / "mail"], check=True)
    url = f"{scheme}://joe{mechanism}@localhost:{ports[scheme == 'pops']}"
    options = ("--ca-file", certificate / "cert.pem")
    p = client.run(None, *options, url=url, plaintext=False)
    assert p.returncode == OK and p.result["delivered"] == 100, p.stderr.decode() + (base / "log").read_text()
    assert client.contents() == sorted(c + b"\n" for c in contents)
    if not mechanism:
        assert auth_lines(p) == ["C: AUTH SCRAM-SHA-256 ****"]
    p = client.run(None, *options, "--delete", url=url, plaintext=False)
    assert p.returncode == OK and p.result["deleted"] == 100 and p.result["delivered"] == 0
    assert not list(base.glob("mail/Maildir/*/17*"))

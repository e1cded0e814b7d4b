"""Clients that break the rules, and the others, who must not notice."""
import os
import socket
import struct

import pytest

from conftest import DOTS


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


def memory(server, program):
    """Resident octets of the largest process of that name."""
    largest = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                if not f.read().startswith(program):
                    continue
            with open(f"/proc/{pid}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            if parent != server.process.pid:
                continue
            with open(f"/proc/{pid}/statm") as f:
                largest = max(largest, int(f.read().split()[1]) * 4096)
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert largest > 0
    return largest


# Holds: P1939-17 P1939-13
@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_a_megabyte_without_a_line_end(joe, logged_in, tls):
    c = joe.login(tls=tls) if logged_in else joe.connect(tls)
    c.send(b"x" * (1 << 20) + b"\r\nCAPA\r\n")
    assert c.line() == b"-ERR line too long\r\n"
    assert c.line().startswith(b"+OK")


# Holds: P1939-18 P1939-20
def test_binary_noise(joe):
    noise = bytes((i * 7919 + i // 251) % 256 for i in range(300000))
    c = joe.connect()
    try:
        c.send(b"A" + noise)
    except ConnectionError:
        pass
    replies = c.rest()
    assert replies.count(b"\r\n") <= 12
    for line in replies.splitlines():
        assert line.startswith(b"-ERR ")
    assert joe.login().command("STAT") == b"+OK 2 84\r\n"


# Holds: Q-C14
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n",
                                   b"\x16\x03\x01\x00\xa5\x01\x00"])
def test_other_protocols_are_shown_the_door(joe, first):
    c = joe.connect()
    c.send(first)
    assert c.rest() == b""
    joe.expect("abuse")


# Holds: P1939-20
def test_too_many_bad_commands(joe):
    for c in (joe.connect(), joe.login()):
        c.send(b"HELLO\r\n" * 50)
        replies = c.rest().splitlines()
        assert len(replies) == 10
        assert replies[-1] == b"-ERR too many bad commands"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# Holds: P1939-26
def test_reset_in_the_middle_of_a_message(server):
    server.put(b"Subject: large\n\n" + b"x" * 70 + b"\n" * 3000000, "1700000001.M1P1.h")
    server.start()
    for _ in range(20):
        c = server.login()
        c.send(b"DELE 1\r\nRSET\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
        c.sock.recv(1000)
        reset(c.sock)
    server.expect("connection lost")
    assert server.login().command("STAT").startswith(b"+OK 1 ")


# Holds: P2449-23 P1939-25
def test_a_client_that_never_reads(server):
    server.put(b"Subject: large\n\n" + (b"x" * 70 + b"\n") * 100000, "1700000001.M1P1.h")
    server.put(DOTS, "1700000001.M1P1.h", user="ann@example.org")
    server.users["ann@example.org"] = "{PLAIN}a"
    server.start()
    greedy = server.login()
    greedy.sock.setblocking(False)
    sent = 0
    try:
        while sent < 1 << 24:
            sent += greedy.sock.send(b"RETR 1\r\n" * 1000)
    except BlockingIOError:
        pass
    # it is stopped by its own full buffers, and nobody else is by it
    for _ in range(20):
        c = server.login("ann@example.org", "a")
        assert c.multi("RETR 1")[0] == b"+OK 70 octets\r\n"
        assert c.command("QUIT").startswith(b"+OK")
        c.rest()
    if "asan" not in os.environ.get("RESTANTE_BUILD", "") and "tsan" not in os.environ.get("RESTANTE_BUILD", ""):
        assert memory(server, "restante-maildrop") < 32 << 20


@pytest.mark.slow
def test_two_thousand_connections_at_once(server):
    server.two_messages()
    server.settings["max-connections-per-address"] = "5000"
    server.start()
    before = memory(server, "restante-login")
    crowd = [server.connect() for _ in range(2000)]
    assert all(c.hello.startswith(b"+OK") for c in crowd)
    assert server.login().command("STAT") == b"+OK 2 84\r\n"
    assert memory(server, "restante-login") - before < 2000 * 4096
    # every one of them is served
    for c in crowd:
        c.send("NOOP\r\nQUIT\r\n")
    for c in crowd:
        assert c.rest().startswith(b"-ERR not now\r\n+OK bye")


def test_connections_from_one_address_are_limited(server):
    server.settings["max-connections-per-address"] = "5"
    server.two_messages()
    server.start()
    held = [server.connect() for _ in range(5)]
    assert server.connect().hello.startswith(b"-ERR [SYS/TEMP] ")
    held.pop().close()
    # the place is free as soon as the server has seen the end
    while not (c := server.connect()).hello.startswith(b"+OK"):
        c.close()


# Holds: P5034-15 P5034-24
def test_long_response(joe):
    c = joe.connect()
    assert c.command("AUTH PLAIN") == b"+ \r\n"
    c.send(b"A" * 87384 + b"\r\n")
    assert c.line().startswith(b"-ERR [AUTH] ")
    assert c.command("AUTH PLAIN") == b"+ \r\n"
    c.send(b"A" * 300000 + b"\r\n")
    assert c.line().startswith(b"-ERR ")
    assert c.command("CAPA").startswith(b"+OK")


# Holds: Q-M11
def test_failed_logins_end_the_connection(joe):
    c = joe.connect()
    for _ in range(3):
        assert c.command("USER joe@example.org").startswith(b"+OK")
        last = c.command("PASS wrong")
    assert last.startswith(b"-ERR [AUTH] ")
    assert c.rest() == b""

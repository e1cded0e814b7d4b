"""Clients that stall, flood and leave at the worst moment, and administrators without luck."""
import os
import pathlib
import signal
import socket
import threading

import pytest

from test_crash import children


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


def state(pid):
    """Letter of the process state: R runs or could, S sleeps."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def assert_sleeps(pid):
    """A process that has nothing to do is found asleep at some time; one in a busy loop never is."""
    assert any(state(pid) == "S" for _ in range(100000)), f"process {pid} never sleeps"


# Holds: P2595-05
@pytest.mark.parametrize("before", ["USER joe@example.org\r\nPASS wrong\r\n", "CAPA\r\n" * 600],
                         ids=["failed login", "many replies"])
def test_stls_at_the_end_of_a_group_is_no_attack(joe, before):
    """What came before STLS in the same segment was said before it."""
    c = joe.connect()
    c.send(before + "STLS\r\n")
    while not c.line().startswith(b"+OK begin"):
        pass
    c.start_tls()
    assert c.command("CAPA").startswith(b"+OK")


def test_one_flood_does_not_keep_login_from_the_others(server):
    server.two_messages()
    server.settings["login-processes"] = "1"
    server.start()
    flood = [server.connect() for _ in range(2)]
    commands, done = b"CAPA\r\n" * 20000, threading.Event()

    def write(sock):
        try:
            while not done.is_set():
                sock.sendall(commands)
        except OSError:
            pass

    def read(sock):
        try:
            while sock.recv(1 << 20):
                pass
        except OSError:
            pass

    threads = [threading.Thread(target=f, args=(c.sock,)) for c in flood for f in (read, write)]
    for t in threads:
        t.start()
    try:
        for _ in range(20):
            c = server.login()
            assert c.command("STAT") == b"+OK 2 84\r\n"
            assert c.command("QUIT").startswith(b"+OK")
            c.rest()
    finally:
        done.set()
        for c in flood:
            c.sock.shutdown(socket.SHUT_RDWR)
        for t in threads:
            t.join()


# Holds: P1939-25
def test_rest_of_a_tls_session_waits_for_its_reader_asleep(server):
    """maildrop has closed, and what it said before waits for a client that takes nothing."""
    server.put(b"Subject: large\n\n" + (b"x" * 70 + b"\n") * 300000, "1700000001.M1P1.h")
    server.settings["login-processes"] = "1"
    server.crash_is_expected()
    server.start()
    c = server.login(tls=True)
    c.send("RETR 1\r\n")
    assert c.line().startswith(b"+OK")
    [login], [maildrop] = children(server, "restante-login"), children(server, "restante-maildrop")
    for _ in range(50):  # until all buffers are full: each command has login try again
        c.send("NOOP\r\n")
        while not all(state(p) == "S" for p in [login, maildrop] * 50):
            pass
    mark = len(server.lines)
    os.kill(maildrop, signal.SIGKILL)
    server.expect("was ended by signal 9", mark)
    assert_sleeps(login)
    got = c.rest()
    assert len(got) > 1 << 16 and b"\r\n.\r\n" not in got


def test_reload_that_failed_does_not_forbid_the_next(joe):
    good = joe.settings["certificate-key"]
    joe.settings["certificate-key"] = f'"{joe.accounts}"'
    joe.settings["greeting"] = '"never"'
    joe.write_settings()
    mark = len(joe.lines)
    joe.process.send_signal(signal.SIGHUP)
    joe.expect("with the settings from before", mark)
    assert joe.connect().command("NOOP").startswith(b"-ERR")
    joe.settings["certificate-key"] = good
    joe.settings["greeting"] = '"mended"'
    joe.write_settings()
    mark = len(joe.lines)
    joe.process.send_signal(signal.SIGHUP)
    joe.expect("reload: .* is in force", mark)
    assert joe.connect().hello == b"+OK POP3 mended\r\n"


def test_reloads_in_a_row_end_with_the_last_settings(joe):
    mark = len(joe.lines)
    for i in range(10):
        joe.settings["greeting"] = f'"number {i}"'
        joe.write_settings()
        joe.process.send_signal(signal.SIGHUP)
    for _ in range(10000):
        mark = len(joe.lines)
        c = joe.connect()
        if c.hello == b"+OK POP3 number 9\r\n":
            break
        c.close()
    else:
        pytest.fail("the last settings never came into force")


def test_more_login_processes_by_reload(server):
    server.two_messages()
    server.settings["login-processes"] = "1"
    server.start()
    server.settings["login-processes"] = "12"
    server.write_settings()
    mark = len(server.lines)
    server.process.send_signal(signal.SIGHUP)
    server.expect("reload: .* is in force", mark)
    assert server.login().command("STAT") == b"+OK 2 84\r\n"

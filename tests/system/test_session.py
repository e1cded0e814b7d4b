"""Whole sessions, octet by octet."""
import hashlib
import socket

import pytest

from conftest import DOTS


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


# Holds: P1939-01 P1939-30 P1939-32 P1939-34 P1939-37 P1939-60 P1939-62 P1939-63 P1939-69 P1939-71
# Holds: P1939-73 P1939-74 P1939-80 P1939-90 P1939-91 P1939-02 P1939-07 P1939-08 P1939-09
def test_specimen_session(joe):
    c = joe.login()
    assert c.hello.startswith(b"+OK POP3 ")
    assert c.greeting == b"+OK 2 messages (84 octets)\r\n"
    assert c.command("STAT") == b"+OK 2 84\r\n"
    assert c.multi("LIST") == (b"+OK 2 messages (84 octets)\r\n", [b"1 70\r\n", b"2 14\r\n"])
    assert c.command("UIDL 2") == b"+OK 2 1700000002.M1P1.h\r\n"
    assert c.multi("RETR 1") == (b"+OK 70 octets\r\n", [
        b"From: a@example.org\r\n", b"Subject: dots\r\n", b"\r\n", b"first\r\n", b"..hidden\r\n",
        b"..\r\n", b"...two\r\n", b"last\r\n"])
    assert c.multi("TOP 1 1")[1][-2:] == [b"\r\n", b"first\r\n"]
    assert c.multi("TOP 2 0")[1] == [b"Subject: x\r\n", b"\r\n"]
    assert c.command("DELE 1").startswith(b"+OK")
    assert c.command("DELE 1").startswith(b"-ERR")
    assert c.multi("LIST")[1] == [b"2 14\r\n"]
    assert c.multi("UIDL")[1] == [b"2 1700000002.M1P1.h\r\n"]
    assert c.command("STAT") == b"+OK 1 14\r\n"
    assert c.command("RETR 1").startswith(b"-ERR")
    assert c.command("RSET").startswith(b"+OK")
    assert c.command("LIST 1") == b"+OK 1 70\r\n"
    assert c.command("LIST 3").startswith(b"-ERR")
    assert c.command("DELE 2").startswith(b"+OK")
    assert c.command("QUIT").startswith(b"+OK")
    assert c.rest() == b""
    c = joe.login()
    assert c.multi("UIDL")[1] == [b"1 1700000001.M1P1.h\r\n"]


# Holds: P1939-23 P1939-26 P1939-82
@pytest.mark.parametrize("end", ["close", "shutdown", "reset"])
def test_without_quit_nothing_is_removed(joe, end):
    c = joe.login()
    assert c.command("DELE 1").startswith(b"+OK")
    if end == "shutdown":
        c.sock.shutdown(socket.SHUT_WR)
        assert c.rest() == b""
    elif end == "reset":
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()
    c = joe.login()
    assert c.multi("UIDL")[1] == [b"1 1700000001.M1P1.h\r\n", b"2 1700000002.M1P1.h\r\n"]


# Holds: P1939-27 Q-C31
@pytest.mark.parametrize("tls", [False, True])
def test_quit_and_gone_is_still_quit(joe, tls):
    c = joe.login(tls=tls)
    c.send("DELE 1\r\nQUIT\r\n")
    c.close()
    joe.expect("deleted 1: QUIT")
    assert joe.login().command("STAT") == b"+OK 1 14\r\n"


# Holds: P1939-28
def test_quit_without_its_end_is_none(joe):
    c = joe.login()
    c.send("DELE 1\r\nQUIT")
    c.sock.shutdown(socket.SHUT_WR)
    c.rest()
    joe.expect("closed without QUIT")
    assert joe.login().command("STAT") == b"+OK 2 84\r\n"


# Holds: P1939-33 P1939-35 P2449-46 Q-C33
def test_second_session_is_told_in_use(server):
    server.settings["lock-wait"] = "0"
    server.two_messages()
    server.start()
    first = server.login()
    assert server.login().greeting.startswith(b"-ERR [IN-USE] ")
    # never before the credentials are verified
    assert server.login(password="wrong").greeting.startswith(b"-ERR [AUTH] ")
    first.command("QUIT")
    first.rest()
    assert server.login().greeting.startswith(b"+OK 2 ")


# Holds: Q-C30 Q-C33
def test_a_session_waits_for_one_that_is_about_to_end(joe):
    first = joe.login()
    second = joe.connect()
    second.send("USER joe@example.org\r\nPASS correct horse\r\n")
    assert second.line().startswith(b"+OK")
    first.close()
    assert second.line() == b"+OK 2 messages (84 octets)\r\n"


# Holds: P1939-38
def test_mail_that_arrives_is_for_the_next_session(joe):
    c = joe.login()
    joe.put(b"Subject: new\n\n", "1600000000.M1P1.h")
    assert c.command("STAT") == b"+OK 2 84\r\n"
    assert c.command("RETR 3").startswith(b"-ERR")
    c.command("QUIT")
    c.rest()
    assert joe.login().command("UIDL 1") == b"+OK 1 1600000000.M1P1.h\r\n"


# Holds: P2449-20 P2449-21 P2449-23 Q-C07 Q-M07
@pytest.mark.parametrize("tls", [False, True])
def test_ten_thousand_commands_before_a_word_is_read(joe, tls):
    c = joe.connect(tls)
    c.send(b"USER joe@example.org\r\nPASS correct horse\r\n" + b"RETR 1\r\nUIDL 2\r\n" * 5000 + b"QUIT\r\n")
    data = c.rest()
    assert data.count(b"+OK 70 octets\r\n") == 5000
    assert data.count(b"+OK 2 1700000002.M1P1.h\r\n") == 5000
    assert data.count(b"\r\n.\r\n") == 5000
    assert data.endswith(b"+OK bye\r\n")


# Holds: P1939-48 P1939-49 P1939-50 P1939-51 Q-C11 Q-C19
def test_apop(server):
    server.settings["apop"] = "true"
    server.two_messages()
    server.start()
    c, d = server.connect(), server.connect()
    stamp = c.hello[c.hello.index(b"<"):].strip()
    assert stamp != d.hello[d.hello.index(b"<"):].strip()
    digest = hashlib.md5(stamp + b"correct horse").hexdigest()
    wrong = hashlib.md5(stamp + b"wrong").hexdigest()
    assert c.command(f"APOP joe@example.org {wrong}").startswith(b"-ERR [AUTH] ")
    assert c.command(f"APOP joe@example.org {digest.upper()}") == b"+OK 2 messages (84 octets)\r\n"
    assert b"<" not in server.login().greeting


def test_no_timestamp_without_apop(joe):
    c = joe.connect()
    assert b"<" not in c.hello
    assert c.command("APOP joe@example.org " + "0" * 32).startswith(b"-ERR")


# Holds: P1939-45
def test_password_with_spaces_around(server):
    server.users["ann@example.org"] = "{PLAIN} a  b "
    server.start()
    assert server.login("ann@example.org", " a  b ").greeting.startswith(b"+OK")
    assert server.login("ann@example.org", "a  b").greeting.startswith(b"-ERR [AUTH]")


# Holds: P1939-43 P5034-25 P3206-03 P3206-05 P8314-05
def test_unknown_user_and_wrong_password_sound_the_same(joe):
    assert joe.login("nobody@example.org").greeting == joe.login(password="x").greeting
    joe.expect("wrong user name or password$")
    joe.expect(r"wrong user name or password \(user \"joe@example.org\"\)")
    assert not any("nobody@example.org" in line for line in joe.lines)


# Holds: P2449-34 P2449-45
def test_login_delay(server):
    server.settings["login-delay"] = "3600"
    server.start()
    c = server.login()
    assert b"LOGIN-DELAY 3600\r\n" in c.multi("CAPA")[1]
    c.command("QUIT")
    c.rest()
    assert server.login().greeting.startswith(b"-ERR [LOGIN-DELAY] ")


# Holds: P2449-30 P2449-33 P2449-31
def test_expire(server):
    server.two_messages()
    server.settings["expire"] = "0"
    server.start()
    c = server.login()
    assert b"EXPIRE 0\r\n" in c.multi("CAPA")[1]
    c.multi("RETR 1")
    c.command("QUIT")
    c.rest()
    assert server.login().command("STAT") == b"+OK 1 14\r\n"


def test_expire_by_age(server):
    import os
    old, new = server.two_messages()
    os.utime(old, (1700000001, 1700000001))
    server.settings["expire"] = "30"
    server.start()
    c = server.login()
    c.command("QUIT")
    c.rest()
    assert server.login().multi("UIDL")[1] == [b"1 1700000002.M1P1.h\r\n"]


# Holds: P1939-22 P1939-24
def test_settings_below_ten_minutes_are_refused(server):
    import subprocess
    from conftest import BUILD
    server.settings["idle-timeout"] = "30"
    server.write_settings()
    r = subprocess.run([BUILD / "src/supervisor/restanted", "-t", "-c", server.folder / "restanted.conf"],
                       capture_output=True, text=True)
    assert r.returncode == 78
    assert "idle-timeout: \"30\" is too small" in r.stderr and "RFC 1939" in r.stderr


# Holds: P1939-65 P1939-67 P1939-68 P1939-70 P1939-85
def test_sizes_are_what_is_sent(server):
    contents = [b"", b".", b".\n", b"a\r\nb\rc\nd", b"no end", b"x\0y\n", b"\r\r\n", DOTS, DOTS]
    for i, content in enumerate(contents):
        server.put(content, f"17000000{i:02}.M{i}P1.h")
    server.start()
    c = server.login()
    sizes = [int(line.split()[1]) for line in c.multi("LIST")[1]]
    assert len(sizes) == len(contents)
    for i, size in enumerate(sizes):
        first, lines = c.multi(f"RETR {i + 1}")
        assert first == b"+OK %d octets\r\n" % size
        assert sum(len(line) - line.startswith(b".") for line in lines) == size
    assert c.command("STAT") == b"+OK %d %d\r\n" % (len(sizes), sum(sizes))
    uids = [line.split()[1] for line in c.multi("UIDL")[1]]
    assert len(set(uids)) == len(uids)

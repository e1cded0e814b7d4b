"""UTF8 (RFC 6856), and what those get who have not asked for it (RFC 6858)."""
import pytest

MAIL = ("From: Jos\u00e9 <jos\u00e9@example.org>\nTo: b@example.org\nSubject: Gr\u00fc\u00dfe\nX-Note: \u00e9\n"
        "\nK\u00f6rper\n").encode()


@pytest.fixture
def joe(server):
    server.put(MAIL, "1700000001.M1P1.h")
    return server


def session(server, utf8):
    c = server.connect()
    if utf8:
        assert c.command("UTF8").startswith(b"+OK")
    c.command("USER joe@example.org")
    assert c.command("PASS correct horse").startswith(b"+OK 1 ")
    return c


# Holds: P6856-01 P6856-02 P6856-05
def test_in_utf8_mode_a_message_is_as_it_is(joe):
    joe.start()
    c = session(joe, True)
    first, lines = c.multi("RETR 1")
    assert b"".join(lines).replace(b"\r\n", b"\n") == MAIL
    assert first == b"+OK %d octets\r\n" % (len(MAIL) + MAIL.count(b"\n"))
    assert c.command("UTF8").startswith(b"-ERR")


# Holds: P6856-03 P6856-04 P6856-06 P6856-17 P6856-18 P6858-01 P6858-03 P6858-04 P6858-05
def test_others_get_a_surrogate(joe):
    joe.start()
    c = session(joe, False)
    uid = c.command("UIDL 1")
    size = int(c.command("LIST 1").split()[2])
    first, lines = c.multi("RETR 1")
    assert first == b"+OK %d octets\r\n" % size
    assert sum(map(len, lines)) == size
    header, body = b"".join(lines).split(b"\r\n\r\n", 1)
    assert all(octet < 0x80 for octet in header)
    assert b"jos" not in header.replace(b"=?utf-8?q?Jos=C3=A9?=", b"") and b".invalid>" in header
    assert b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=" in header and b"X-Note" not in header
    assert body == "K\u00f6rper\r\n".encode()
    # TOP counts the lines of what is sent; the unique-id is the message's
    assert c.multi("TOP 1 0")[1] == [line + b"\r\n" for line in header.split(b"\r\n")] + [b"\r\n"]
    assert session_uid(joe, c) == uid


def session_uid(server, c):
    c.command("QUIT")
    c.rest()
    return session(server, True).command("UIDL 1")


# Holds: P6856-11 P6856-12
def test_or_are_refused(joe):
    joe.settings["utf8-headers"] = "refuse"
    joe.put(b"Subject: plain\n\nK\xc3\xb6rper\n", "1700000002.M1P1.h")
    joe.start()
    c = joe.login()
    assert c.command("RETR 1") == b"-ERR [UTF8] the message needs UTF-8 mode\r\n"
    assert c.command("TOP 1 0") == b"-ERR [UTF8] the message needs UTF-8 mode\r\n"
    assert c.multi("RETR 2")[0].startswith(b"+OK ")
    assert c.command("DELE 1").startswith(b"+OK")


# Holds: P6856-08 P6856-09 P6856-10 P4013-03 P8265-03
def test_names_and_passwords_are_prepared(server):
    server.users["jos\u00e9@example.org"] = "{PLAIN}IX"
    server.start()
    for password in ("IX", "I\u00adX", "\u2168"):
        c = server.connect()
        assert c.command("USER jose\u0301@example.org").startswith(b"+OK")
        assert c.command(f"PASS {password}").startswith(b"+OK"), password
    for password in (b"\xc3", b"\xed\xa0\x80", b"I\xc2\x85X"):
        c = server.connect()
        assert c.command("USER jos\u00e9@example.org").startswith(b"+OK")
        assert c.command(b"PASS " + password).startswith(b"-ERR [AUTH]"), password

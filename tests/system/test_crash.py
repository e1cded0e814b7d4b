"""Processes that die, mail that cannot be read, settings that change: what goes on, and what is lost."""
import os
import pathlib
import signal

import pytest

from conftest import DOTS, ROOT


@pytest.fixture
def joe(server):
    server.two_messages()
    return server.start()


def children(server, name):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
            parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == server.process.pid and command.startswith(name):
            found.append(int(pid))
    return found


@pytest.mark.parametrize("name", ["restante-login", "restante-auth", "restante-maildrop"])
def test_a_crash_ends_only_its_own_sessions(joe, name):
    joe.crash_is_expected()
    c = joe.login()
    assert c.command("DELE 1").startswith(b"+OK")
    victims = children(joe, name)
    assert victims
    mark = len(joe.lines)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    joe.expect(f"{name}.* was ended by signal 9", mark)
    if name == "restante-maildrop":
        assert c.rest() == b""
    else:
        assert c.command("STAT") == b"+OK 1 14\r\n"
        assert c.command("RSET").startswith(b"+OK")
        assert c.command("QUIT").startswith(b"+OK")
        joe.expect(f"{name}: serving", mark)
    # served again, and nothing was removed
    while not (c := joe.login()).greeting.startswith(b"+OK"):
        assert c.greeting.startswith(b"-ERR [SYS/TEMP]")
        c.close()
    assert c.multi("UIDL")[1] == [b"1 1700000001.M1P1.h\r\n", b"2 1700000002.M1P1.h\r\n"]


# D1 of the field: Holds: P1939-26
@pytest.mark.parametrize("tls", [False, True])
def test_message_cut_while_it_is_sent_gets_no_final_dot(server, tls):
    path = server.put(b"Subject: large\n\n" + (b"x" * 70 + b"\n") * 500000, "1700000001.M1P1.h")
    server.start()
    c = server.login(tls=tls)
    c.send("RETR 1\r\n")
    assert c.line().startswith(b"+OK ")
    os.truncate(path, 100000)
    rest = c.rest()
    assert not rest.endswith(b"\r\n.\r\n")
    server.expect("a message could not be read: .*it was cut")


# D4 of the field
def test_message_that_is_gone_is_told_from_one_that_cannot_be_read(server):
    first, second = server.two_messages()
    third = server.put(DOTS, "1700000003.M1P1.h,W=70")
    server.start()
    c = server.login()
    first.unlink()
    third.unlink()
    third.mkdir()
    assert c.command("RETR 3").startswith(b"-ERR [SYS/PERM] ")
    assert c.command("RETR 1") == b"-ERR no such message\r\n"
    assert c.multi("RETR 2")[0] == b"+OK 14 octets\r\n"
    # a message that vanished counts as removed
    assert c.command("DELE 1").startswith(b"+OK")
    assert c.command("DELE 2").startswith(b"+OK")
    assert c.command("QUIT").startswith(b"+OK")


# Holds: P1939-91 P1939-93
def test_what_cannot_be_removed_is_told(server):
    server.two_messages()
    server.start()
    c = server.login()
    assert c.command("DELE 1").startswith(b"+OK")
    target = server.maildir() / "new/1700000001.M1P1.h"
    target.unlink()
    target.mkdir()  # unlink() of a folder fails
    assert c.command("DELE 2").startswith(b"+OK")
    assert c.command("QUIT") == b"-ERR [SYS/TEMP] some deleted messages not removed\r\n"
    assert c.rest() == b""
    target.rmdir()
    assert server.login().command("STAT") == b"+OK 0 0\r\n"


def test_one_bad_entry_costs_nothing_else(server):
    server.two_messages()
    new = server.maildir() / "new"
    (new / "folder").mkdir()
    os.mkfifo(new / "1700000000.fifo")
    (new / "1700000000.link").symlink_to("/etc/passwd")
    (new / "1700000000.dangling").symlink_to("nowhere")
    if ROOT:
        secret = server.put(b"x", "1700000000.secret")
        os.chown(secret, 0, 0)
        secret.chmod(0)
    server.put(b"Subject: odd\n\n", b"17\xff \x01 name".decode("latin-1"))
    server.start()
    c = server.login()
    assert c.greeting.startswith(b"+OK 3 ")
    uids = [line.split()[1] for line in c.multi("UIDL")[1]]
    assert len(uids[0]) == 64 and len(uids) == 3
    server.expect("entries of the maildrop left out")


# Holds: P1939-82 P1939-85 Q-S64
def test_flags_changed_by_an_imap_server_meanwhile(server):
    server.two_messages()
    server.start()
    c = server.login()
    folder = server.maildir()
    os.rename(folder / "new/1700000001.M1P1.h", folder / "cur/1700000001.M1P1.h:2,S")
    os.rename(folder / "cur/1700000002.M1P1.h:2,S", folder / "cur/1700000002.M1P1.h:2,RS")
    assert c.multi("RETR 1")[0] == b"+OK 70 octets\r\n"
    assert c.multi("RETR 2")[0] == b"+OK 14 octets\r\n"
    assert c.multi("UIDL")[1] == [b"1 1700000001.M1P1.h\r\n", b"2 1700000002.M1P1.h\r\n"]
    assert c.command("DELE 1").startswith(b"+OK")
    os.rename(folder / "cur/1700000001.M1P1.h:2,S", folder / "cur/1700000001.M1P1.h:2,FS")
    assert c.command("QUIT").startswith(b"+OK")
    assert [p.name for p in (folder / "cur").iterdir()] == ["1700000002.M1P1.h:2,RS"]


def test_flags_are_left_alone(server):
    server.two_messages()
    server.start()
    c = server.login()
    c.multi("RETR 1")
    c.multi("RETR 2")
    c.command("QUIT")
    c.rest()
    folder = server.maildir()
    assert [p.name for p in (folder / "new").iterdir()] == ["1700000001.M1P1.h"]
    assert [p.name for p in (folder / "cur").iterdir()] == ["1700000002.M1P1.h:2,S"]


def test_accounts_changed_are_seen(joe):
    joe.users["new@example.org"] = "{PLAIN}new"
    joe.write_settings()
    while not (c := joe.login("new@example.org", "new")).greeting.startswith(b"+OK"):
        c.close()


def test_reload(joe):
    c = joe.login()
    waiting = joe.connect()
    joe.settings["greeting"] = '"changed"'
    joe.write_settings()
    mark = len(joe.lines)
    joe.process.send_signal(signal.SIGHUP)
    joe.expect("reload: .* is in force", mark)
    assert joe.connect().hello == b"+OK POP3 changed\r\n"
    # sessions from before go on
    assert c.command("STAT") == b"+OK 2 84\r\n"
    assert waiting.command("CAPA").startswith(b"+OK")
    # what is wrong changes nothing
    joe.settings["greeting"] = '"never"'
    joe.settings["idle-timeout"] = "1"
    joe.write_settings()
    mark = len(joe.lines)
    joe.process.send_signal(signal.SIGHUP)
    joe.expect("nothing was changed", mark)
    assert joe.connect().hello == b"+OK POP3 changed\r\n"


def test_a_certificate_that_cannot_be_used(server):
    server.settings["certificate-key"] = f'"{server.accounts}"'
    with pytest.raises(AssertionError, match="certificate-key"):
        server.start()
    assert server.process.wait(timeout=60) == 78

"""Dovecot on the same Maildir, as its IMAP server would be: moving, flagging and listing what we serve."""
import os
import shutil
import subprocess

import pytest

from conftest import DOTS, MAIL_UID, ROOT


@pytest.fixture
def dovecot(server):
    if shutil.which("doveadm") is None or not ROOT:
        pytest.skip("needs doveadm, and root to run it as the mail's owner")
    folder = server.maildir()
    conf = server.folder / "dovecot.conf"
    conf.write_text(f"mail_location = maildir:{folder}\nbase_dir = {server.folder}/dovecot\n"
                    f"log_path = /dev/stderr\nfirst_valid_uid = 1\nmail_uid = {MAIL_UID}\n"
                    f"mail_gid = {MAIL_UID}\nstats_writer_socket_path =\n")

    def run(*arguments):
        r = subprocess.run(["doveadm", "-c", conf, *arguments], capture_output=True, text=True,
                           env={**os.environ, "USER": "joe", "HOME": str(server.folder)})
        assert r.returncode == 0, r.stderr
        return r.stdout
    return run


def names(server):
    folder = server.maildir()
    return sorted(p.name for d in ("new", "cur") for p in (folder / d).iterdir())


# Holds: P1939-82 P1939-85
def test_flags_are_changed_during_a_session(server, dovecot):
    for i in range(20):
        server.put(b"Subject: %d\n\n.%d\n" % (i, i), f"17000000{i:02}.M{i}P1.h")
    server.start()
    c = server.login()
    uids = c.multi("UIDL")[1]
    dovecot("flags", "add", "\\Seen", "mailbox", "INBOX", "ALL")
    assert all(name.endswith(":2,S") for name in names(server))
    for i in range(20):
        assert c.multi(f"RETR {i + 1}")[1][-1] == b"..%d\r\n" % i
    assert c.command("DELE 1").startswith(b"+OK")
    dovecot("flags", "add", "\\Flagged", "mailbox", "INBOX", "ALL")
    assert c.command("QUIT").startswith(b"+OK")
    c.rest()
    assert len(names(server)) == 19
    # what it sees and what we see is the same, and the unique-ids stay
    assert dovecot("fetch", "hdr.subject", "mailbox", "INBOX", "ALL").count("subject: ") == 19
    left = [line.split()[1] for line in server.login().multi("UIDL")[1]]
    assert left == [line.split()[1] for line in uids[1:]]


def test_what_it_expunges_is_gone_and_nothing_else(server, dovecot):
    server.two_messages()
    server.start()
    c = server.login()
    dovecot("expunge", "mailbox", "INBOX", "HEADER", "Subject", "dots")
    assert c.command("RETR 1") == b"-ERR no such message\r\n"
    assert c.multi("RETR 2")[0] == b"+OK 14 octets\r\n"
    assert c.command("QUIT").startswith(b"+OK")


def test_sizes_from_its_list(server, dovecot):
    server.two_messages()
    dovecot("fetch", "size.virtual", "mailbox", "INBOX", "ALL")
    folder = server.maildir()
    listed = (folder / "dovecot-uidlist").read_text()
    assert listed.startswith("3 V")
    # as it writes it when POP3 has asked for sizes; a wrong one shows whose word was taken
    head = listed.splitlines()[0]
    (folder / "dovecot-uidlist").write_text(f"{head}\n1 W71 :1700000001.M1P1.h\n2 :1700000002.M1P1.h\n3 W\n4 W9")
    server.start()
    assert server.login().multi("LIST")[1] == [b"1 71\r\n", b"2 14\r\n"]
    assert (folder / "dovecot-uidlist").read_text().startswith(head)


def test_it_delivers_and_we_serve(server, dovecot):
    server.maildir()
    server.start()
    subprocess.run(["doveadm", "-c", server.folder / "dovecot.conf", "save", "-m", "INBOX"], input=DOTS,
                   check=True, env={**os.environ, "USER": "joe", "HOME": str(server.folder)})
    c = server.login()
    assert c.greeting == b"+OK 1 messages (70 octets)\r\n"
    assert sum(len(line) - line.startswith(b".") for line in c.multi("RETR 1")[1]) == 70

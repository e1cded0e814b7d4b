"""What our programs say to each other, field by field, for tests that play one of them."""
import os
import socket
import struct

SU_LOGIN, SU_MAILDROP, SU_START, SU_CERTIFICATE, SU_LISTENER, SU_COUNTERS, SU_DRAIN = 1, 3, 6, 7, 8, 9, 10
SU_PEER, SU_READY = 11, 15
PEER_AUTH = 2
COUNTER_SLOTS = 65536
LA_START, LA_STEP, LA_CANCEL, LA_CONTINUE, LA_FAILED, LA_DONE = 1, 2, 3, 4, 5, 6
LA_PASS, LA_APOP, LA_SASL = 1, 2, 3
FAIL_AUTH, FAIL_NEED_TLS, FAIL_DELAY, FAIL_IN_USE, FAIL_TEMP, FAIL_PERM = 1, 2, 3, 4, 5, 6
AM_HANDOFF, AM_OPENED, AM_ENDED, AM_IDLE = 1, 2, 3, 4


def u8(v):
    return struct.pack(">B", v)


def u32(v):
    return struct.pack(">I", v & 0xffffffff)


def u64(v):
    return struct.pack(">Q", v)


def octets(v):
    v = v.encode() if isinstance(v, str) else v
    return u32(len(v)) + v


def maildrop_setup(**k):
    return (u8(SU_MAILDROP) + u8(0) + u8(k.get("level", 2)) + u32(k["uid"]) + u32(k["gid"]) + octets("")
            + octets(k["root"]) + u8(k.get("utf8", 1)) + u8(k.get("implementation", 1))
            + u8(k.get("refuse_utf8", 0)) + u8(k.get("lang", 0)) + octets(k.get("mechanisms", "PLAIN"))
            + u8(k.get("plaintext", 1)) + u8(k.get("login_delay_on", 0)) + u32(k.get("idle_timeout", 600))
            + u32(k.get("write_timeout", 300)) + u32(k.get("linger", 3600)) + u32(k.get("lock_wait", 0))
            + u32(k.get("max_sessions", 1000)) + u32(k.get("max_threads", 4)))


def peer(role, number=0):
    return u8(SU_PEER) + u8(role) + u64(number)


def handoff(number, path, early=b"", **k):
    return (u8(AM_HANDOFF) + u64(number) + u8(k.get("lang", 0)) + u8(k.get("utf8", 0))
            + u32(k.get("login_delay", 0)) + u32(k.get("expire", -1)) + octets(k.get("user", "joe@example.org"))
            + octets(path) + octets(k.get("address", "192.0.2.1")) + octets(k.get("tls", ""))
            + octets(k.get("mech", "PASS")) + octets(early))


def login_setup(**k):
    return (u8(SU_LOGIN) + u8(0) + u8(k.get("level", 3)) + octets(k.get("hostname", "mail.example.org"))
            + octets(k.get("greeting", "")) + u8(k.get("apop", 0)) + u8(k.get("utf8", 1))
            + u8(k.get("implementation", 1)) + u8(k.get("lang", 0)) + u8(k.get("plaintext", 1))
            + octets(k.get("mechanisms", "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"))
            + u32(k.get("expire", -1)) + u8(0) + u32(k.get("login_delay", 0)) + u8(0)
            + u32(k.get("login_timeout", 600)) + u32(k.get("idle_timeout", 600))
            + u32(k.get("write_timeout", 300)) + u32(k.get("max_connections", 20000))
            + u32(k.get("max_per_address", 20000)) + u32(k.get("max_failures", 3))
            + u32(k.get("counter_rows", 2)) + u32(k.get("counter_row", 0)) + bytes(range(16))
            + u32(k["uid"]) + u32(k["uid"]))


def certificate_setup(name, chain, key):
    return u8(SU_CERTIFICATE) + octets(name) + octets(chain) + octets(key)


def listener_setup(name, tls):
    return u8(SU_LISTENER) + octets(name) + u8(tls)


def la_reply(type, number, data=b""):
    """data: the challenge of a CONTINUE, the reason of a FAILED."""
    body = octets(data) if type == LA_CONTINUE else u8(data) if type == LA_FAILED else b""
    return u8(type) + u64(number) + body


class Fields:
    """Reads a message field by field."""

    def __init__(self, message):
        self.message, self.at = message, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.message)
        return self.message[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.take(8))[0]

    def octets(self):
        return self.take(self.u32())


def la_from_login(message):
    """What a restante-login said, as a dictionary."""
    f = Fields(message)
    m = {"type": f.u8(), "id": f.u64()}
    if m["type"] == LA_START:
        for name in ("kind", "secure", "loopback", "lang", "utf8"):
            m[name] = f.u8()
        for name in ("address", "tls", "user", "secret"):
            m[name] = f.octets()
        m["has_data"] = f.u8()
        for name in ("data", "exporter", "unique", "early"):
            m[name] = f.octets()
    elif m["type"] == LA_STEP:
        m["data"], m["early"] = f.octets(), f.octets()
    else:
        assert m["type"] == LA_CANCEL
    assert f.at == len(message)
    return m


def channel():
    """Both ends of a channel: the test's (blocking) and the program's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    ours.settimeout(60)
    return ours, theirs


def start_child(path, stderr, before=()):
    """A program (by way of another one, before) with its channel to the supervisor on descriptor 3: the process, and our end."""
    import subprocess
    ours, theirs = channel()
    process = subprocess.Popen([*before, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                               pass_fds=(3,), preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    theirs.close()
    return process, ours

"""What our programs say to each other, field by field, for tests that play one of them."""
import os
import socket
import struct

SU_MAILDROP, SU_START, SU_PEER, SU_READY = 3, 6, 11, 15
PEER_AUTH = 2
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


def channel():
    """Both ends of a channel: the test's (blocking) and the program's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    ours.settimeout(60)
    return ours, theirs


def start_child(path, stderr):
    """A program with its channel to the supervisor on descriptor 3: the process, and our end."""
    import subprocess
    ours, theirs = channel()
    process = subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                               pass_fds=(3,), preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    theirs.close()
    return process, ours

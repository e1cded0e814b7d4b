"""The transcripts, against the real server over a socket; tests/transcripts/README.md has their form."""
import re

import pytest

from conftest import DOTS, TOP

FILES = sorted((TOP / "tests/transcripts").glob("*.txt"))
ACCOUNTS = {
    "joe": "correct horse", "tim": "tanstaaftanstaaf", "test": "test", "user": "pencil",
    "mrose": "tanstaaf", "spaces": "  a  b ", "jos\u00e9": "gr\u00fcn",
}


def octets(text):
    """A text of a transcript, with its escapes undone."""
    def repeat(m):
        return m.group(2) * int(m.group(1))
    text = re.sub(r"\\\((\d+)\*([^)]*)\)", repeat, text)
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
            continue
        letter = text[i + 1]
        if letter == "x":
            out.append(int(text[i + 2:i + 4], 16))
            i += 4
        else:
            out += {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}[letter]
            i += 2
    return bytes(out)


class Transcript:
    def __init__(self, path):
        self.headings, self.steps, self.messages = {}, [], [b""]
        for line in path.read_text().splitlines():
            if line.startswith("#"):
                m = re.match(r"# ([a-z0-9-]+): (.*)", line)
                if m and not self.steps:
                    self.headings[m.group(1)] = m.group(2).strip()
            elif line == "== message":
                self.messages.append(b"")
            elif line.startswith("M"):
                self.messages[-1] += octets(line[3:]) + (b"\n" if line[1] == ":" else b"")
            elif line:
                self.steps.append((line[:2], line[3:]))

    def get(self, key, default):
        return self.headings.get(key, default)


def write_maildrops(server, t):
    kind = t.get("maildrop", "wire")
    if kind == "wire":
        messages = {"0000000165f1a2b3": DOTS, "0000000265f1a2b3": b"Subject: x\n\n"}
    elif kind == "here":
        messages = {f"170000000{i}.m": m for i, m in enumerate(t.messages, 1)}
    else:
        messages = {}
    for user in ACCOUNTS:
        top = server.mail / user
        for folder in (top, top / "tmp", top / "new", top / "cur"):
            folder.mkdir()
            server.own(folder)
        for name, content in messages.items():
            (top / "new" / name).write_bytes(content)
            server.own(top / "new" / name)
        if t.get("read-only", "no") == "yes":
            (top / "new").chmod(0o555)


def configure(server, t):
    s = server.settings
    s["maildrop"] = f'"{server.mail}/%u"'
    s["lock-wait"] = "0"
    if t.get("tls", "none") == "none":
        s["certificate"] = s["certificate-key"] = s["listen-tls"] = None
    s["plaintext-passwords"] = "loopback" if t.get("plaintext", "yes") == "yes" else "never"
    s["utf8"] = "true" if t.get("utf8", "yes") == "yes" else "false"
    s["language"] = t.get("lang", "en")
    mechanisms = t.get("sasl", "SCRAM-SHA-256 PLAIN LOGIN").split()
    s["mechanisms"] = "{" + ", ".join(f'"{m}"' for m in mechanisms) + "}"
    extra = []
    for key, own in (("expire", "never"), ("login-delay", "0")):
        value, *user = t.get(key, "none").split()
        if value != "none":
            s[key] = value
        if user:
            s[key + "-differs"] = "true"
            extra.append(f"{key.replace('-', '_')}={own}")
    tail = ":::::" + ":" + " ".join(extra) if extra else ""
    server.users = {user: "{PLAIN}" + password + tail for user, password in ACCOUNTS.items()}


def matches(text, line):
    """Whether a line of the server (with its end) is what the transcript has."""
    if not re.fullmatch(r"\+OK|-ERR(?: \[[A-Z/-]+\])?", text):
        return line == octets(text) + b"\r\n"
    code = re.search(r"\[.*\]", text)
    rest = line[len(text):]
    return line.startswith(text.encode() + b" ") and line.endswith(b"\r\n") and \
        (code is not None or not rest.startswith(b" ["))


class Player:
    def __init__(self, server, t):
        self.server, self.t = server, t
        self.connect()

    def connect(self):
        self.c = self.server.connect(self.t.get("tls", "none") == "active")
        if self.t.get("state", "AUTHORIZATION") == "AUTHORIZATION":
            self.c.buffer = self.c.hello + self.c.buffer
            return
        assert self.c.command("USER joe").startswith(b"+OK")
        assert self.c.command("PASS correct horse").startswith(b"+OK")

    def play(self):
        steps, i = self.t.steps, 0
        while i < len(steps):
            kind, text = steps[i]
            i += 1
            if kind in ("C:", "C-"):
                data = octets(text) + (b"\r\n" if kind == "C:" else b"")
                while i < len(steps) and steps[i][0] in ("C:", "C-"):
                    data += octets(steps[i][1]) + (b"\r\n" if steps[i][0] == "C:" else b"")
                    i += 1
                self.c.send(data)
            elif kind == "S:":
                line = self.c.line()
                assert matches(text, line), f"step {i}: wanted {text!r}, got {line!r}"
            elif kind == "S*":
                assert steps[i][0] == "S:"
                while not matches(steps[i][1], line := self.c.line()):
                    pass
                self.c.buffer = line + self.c.buffer
            elif text == "TLS":
                self.c.start_tls()
            elif text == "closed":
                assert self.c.rest() == b"", f"step {i}"
            elif text == "hang up":
                self.c.close()
            elif text == "next session":
                self.c.close()
                self.server.expect(r"session \S+: user")
                self.connect()
            else:
                pytest.fail(f"step {i}: {kind} {text}")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_transcript(server, path):
    t = Transcript(path)
    if t.get("only", "server") == "library" or "apop" in t.headings:
        pytest.skip("for the library only")
    write_maildrops(server, t)
    configure(server, t)
    server.start()
    other = None
    if t.get("in-use", "no") == "yes":
        other = server.login("joe")
        assert other.greeting.startswith(b"+OK")
    Player(server, t).play()

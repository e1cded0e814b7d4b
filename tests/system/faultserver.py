"""A POP3 server that errs as it is told to, for tests of the client.

Messages are (unique-id, content) with the line ends of the wire.  A hook sees every command line
before the server does: what it returns (bytes) is the answer; None leaves the command to the
server; Drop, raised, closes the connection, after sending what is in it.
"""
import socket
import threading


class Drop(Exception):
    """Close the connection, after sending these octets."""


class FaultServer:
    def __init__(self, messages, capa=("USER", "UIDL", "TOP", "PIPELINING"), context=None,
                 implicit=False, greeting=b"+OK ready\r\n"):
        self.messages = list(messages)
        self.capa = None if capa is None else list(capa)
        self.context, self.implicit, self.greeting = context, implicit, greeting
        self.hooks = []
        self.commands = []   # of all sessions, as they came
        self.sessions = 0
        self.stls = context is not None and not implicit
        self.injected = b""  # sent in clear behind the +OK of STLS, in the same segment
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)

    def hook(self, function):
        self.hooks.append(function)
        return function

    def on(self, command, answer):
        """The answer to every command line that is just this; bytes, or an exception."""
        def hook(line):
            if line != command:
                return None
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.hooks.append(hook)

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            sock.settimeout(60)
            try:
                self.session(sock)
            except (OSError, EOFError):
                pass
            finally:
                sock.close()

    def session(self, sock):
        if self.implicit:
            sock = self.context.wrap_socket(sock, server_side=True)
        session = Session(self, sock)
        try:
            session.run()
        except Drop as drop:
            if drop.args:
                sock.sendall(drop.args[0])
        finally:
            session.sock.close()


class Session:
    def __init__(self, server, sock):
        self.server, self.sock, self.buffer = server, sock, b""
        self.drop = [m for m in server.messages]
        self.marked = set()
        self.tls = False

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def run(self):
        self.sock.sendall(self.server.greeting)
        while True:
            line = self.line()
            self.server.commands.append(line)
            for hook in self.server.hooks:
                answer = hook(line)
                if answer is not None:
                    break
            else:
                answer = self.answer(line)
            if answer is not None:
                self.sock.sendall(answer)
            if line == b"QUIT":
                return

    def answer(self, line):
        verb, *args = line.split(b" ")
        return getattr(self, "do_" + verb.decode("ascii").lower(), self.unknown)(*args)

    def unknown(self, *_):
        return b"-ERR what?\r\n"

    def do_capa(self):
        if self.server.capa is None:
            return b"-ERR what?\r\n"
        words = list(self.server.capa) + (["STLS"] if self.server.stls and not self.tls else [])
        return b"+OK\r\n" + b"".join(w.encode() + b"\r\n" for w in words) + b".\r\n"

    def do_stls(self):
        if not self.server.stls or self.tls:
            return b"-ERR what?\r\n"
        self.sock.sendall(b"+OK go\r\n" + self.server.injected)
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.buffer, self.tls = b"", True
        return None

    def do_quit(self):
        self.server.messages = [m for i, m in enumerate(self.drop, 1) if i not in self.marked] + \
            self.server.messages[len(self.drop):]
        return b"+OK bye\r\n"

    def do_user(self, *_):
        return b"+OK\r\n"

    def do_pass(self, *words):
        return b"+OK\r\n" if b" ".join(words) == b"correct horse" else b"-ERR [AUTH] no\r\n"

    def there(self):
        return [(i, m) for i, m in enumerate(self.drop, 1) if i not in self.marked]

    def do_stat(self):
        there = self.there()
        return b"+OK %d %d\r\n" % (len(there), sum(len(m[1]) for _, m in there))

    def listing(self, of):
        return b"+OK\r\n" + b"".join(b"%d %s\r\n" % (i, of(m)) for i, m in self.there()) + b".\r\n"

    def do_list(self):
        return self.listing(lambda m: b"%d" % len(m[1]))

    def do_uidl(self):
        return self.listing(lambda m: m[0])

    def message(self, number):
        number = int(number)
        return self.drop[number - 1] if 1 <= number <= len(self.drop) and number not in self.marked else None

    def do_retr(self, number):
        m = self.message(number)
        return b"-ERR no such message\r\n" if m is None else b"+OK\r\n" + stuffed(m[1])

    def do_dele(self, number):
        if self.message(number) is None:
            return b"-ERR no such message\r\n"
        self.marked.add(int(number))
        return b"+OK\r\n"


def stuffed(content):
    """Content in wire form with its terminator."""
    lines = content.split(b"\r\n")
    assert lines[-1] == b"", "a message ends with CRLF here"
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"

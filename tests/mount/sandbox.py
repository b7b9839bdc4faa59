"""A named sandbox with a policy, for the cases about policies: mounted, asked to read its policy again, unmounted."""

import errno
import os
import socket
import subprocess

OSFUSE = os.environ.get("OSFUSE", "osfuse")
T = os.environ.get("T", "/tmp")
AS_ROOT = os.geteuid() == 0


class Sandbox:
    """Directories of its own below $T/NAME: lower, below (a second lower, if it is there), upper, work, mnt."""

    def __init__(self, name, policy="", home=None):
        self.name, self.base = name, os.path.join(T, name)
        self.policy_file = os.path.join(self.base, "policy")
        self.home = home
        for d in ("lower", "upper", "work", "mnt"):
            os.makedirs(os.path.join(self.base, d), exist_ok=True)
            setattr(self, d, os.path.join(self.base, d))
        self.below = os.path.join(self.base, "below")
        self.set_policy(policy)

    def set_policy(self, text):
        with open(self.policy_file + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.policy_file + ".new", self.policy_file)

    def mount(self, *options):
        env = dict(os.environ, HOME=self.home or os.environ["HOME"])
        lowers = [self.lower] + ([self.below] if os.path.isdir(self.below) else [])
        command = [OSFUSE, "mount", "--name", self.name, "--lower", ":".join(lowers), "--upper", self.upper, "--work", self.work,
                   "--policy", self.policy_file, *options, self.mnt]
        subprocess.run(command, env=env, check=True)

    def unmount(self):
        subprocess.run([OSFUSE, "umount", self.mnt], check=True)

    def ask(self, request):
        """What the daemon answers to a line on its control socket."""
        path = os.path.join(os.environ["XDG_STATE_HOME"], "osfuse", self.name, "control")
        fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect("/proc/self/fd/%d/control" % fd)  # an address has room for 107 bytes
                s.sendall(request.encode() + b"\n")
                answer = b""
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        return answer.decode()
                    answer += piece
        finally:
            os.close(fd)

    def reload(self, policy=None):
        if policy is not None:
            self.set_policy(policy)
        answer = self.ask("reload")
        if not answer.startswith("ok\n"):
            raise RuntimeError("reload: " + answer)


def write_file(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def result(function, *args):
    """What it returns, or the name of the error."""
    try:
        return function(*args)
    except OSError as e:
        return errno.errorcode[e.errno]

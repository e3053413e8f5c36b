"""Launcher of child processes: become what an embedded server needs, tie its life to ours, then exec it.

Run as a script of its own (``python -I child.py``), with the standard library alone, so that nothing happens
between fork and exec in the parent. The process it becomes is a direct child of the parent and

- gets a signal when the parent dies, even by ``kill -9`` (``PR_SET_PDEATHSIG``);
- does not run as root where the server refuses that: as root it enters a user namespace in which it has another
  name, or, where namespaces are forbidden, changes to an ordinary user who then owns the data folder.

Usage: ``child.py PARENT_PID SIGNAL FOLDER ordinary|same PROGRAM [ARGUMENT…]``; the folder ``-`` means that the user
stays as it is.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_USUAL_UID = 1000
_CANNOT_START = 126


def main(arguments: list[str]) -> None:
    """Read the arguments, prepare this process and exec the program; never returns."""
    parent_pid, death_signal, folder, power, *command = arguments
    if folder != "-":
        become_owner(Path(folder), ordinary=power == "ordinary")
    die_with_parent(int(parent_pid), int(death_signal))
    try:
        os.execv(command[0], command)  # noqa: S606  # no shell is the point
    except OSError as error:
        fail(f"user {os.geteuid()} cannot run {command[0]}: {error.strerror}")


def become_owner(folder: Path, *, ordinary: bool) -> None:
    """Become a user that owns the folder and, if ``ordinary``, is not root and has a name in this system."""
    owner = folder.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        change_user(owner, folder)
    elif ordinary and (os.geteuid() == 0 or not has_name(os.geteuid())):
        uid = ordinary_uid()
        try:
            enter_namespace(uid)
        except OSError as error:
            if os.geteuid() != 0:
                fail(f"user {os.geteuid()} has no name in this system and user namespaces are forbidden ({error})")
            give_away(folder, uid)
            change_user(uid, folder)


def enter_namespace(inside_uid: int) -> None:
    """Enter a user namespace in which the present user has another number and no power over the system."""
    libc = ctypes.CDLL(None, use_errno=True)
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    # Bytes need no codec: Python would load one now, perhaps from files that this user may no longer read.
    Path("/proc/self/setgroups").write_bytes(b"deny")
    Path("/proc/self/uid_map").write_bytes(b"%d %d 1" % (inside_uid, outside_uid))
    Path("/proc/self/gid_map").write_bytes(b"%d %d 1" % (inside_uid, outside_gid))


def change_user(uid: int, folder: Path) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(folder.stat().st_gid)
    os.setuid(uid)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fail(f"user {uid}, who runs the server, cannot reach {folder}")


def give_away(folder: Path, uid: int) -> None:
    """Make the user the owner of the folder and of all in it."""
    for root, _, names in os.walk(folder):
        os.chown(root, uid, uid)
        for name in names:
            os.lchown(os.path.join(root, name), uid, uid)  # noqa: PTH118  # what os.walk gives


def ordinary_uid() -> int:
    """Return the number of a user with a name who is not root; ``initdb`` insists on a name."""
    uids = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0]
    return _USUAL_UID if _USUAL_UID in uids or not uids else uids[-1]


def has_name(uid: int) -> bool:
    """Say whether the user is listed in this system."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def die_with_parent(parent_pid: int, death_signal: int) -> None:
    """Ask for a signal when the parent dies, and look whether it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        fail("the process that asked for this server is gone")


def fail(reason: str) -> None:
    """Leave with one line that the parent reads."""
    sys.stderr.write(f"launcher: {reason}\n")
    sys.stderr.flush()
    os._exit(_CANNOT_START)


if __name__ == "__main__":
    main(sys.argv[1:])

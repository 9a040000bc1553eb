#!/usr/bin/env python3
"""Takes the power from a file system at a moment that counts.

usage: power-cut.py MOUNT-POINT SIGN SECONDS | never

Writes and syncs a file of its own there all the time, as others do on a store in use, so that the journal of the file system is
committed again and again. SECONDS after the file SIGN has appeared it shuts the file system down without writing its log, which is
what xfstests take for a power cut (EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN). Prints `cut`; for `never`, and when SIGN did not come, how many seconds
SIGN was there.
"""
import fcntl, os, struct, sys, threading, time

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, struct.pack('I', 2)
PATIENCE_SECONDS = 30


def keep_busy(point, over):
    file = os.open(f'{point}/somebody-else', os.O_RDWR | os.O_CREAT)
    try:
        while not over.is_set():
            os.pwrite(file, os.urandom(512), 0)
            os.fsync(file)
    except OSError:
        pass
    os.close(file)


def main(point, sign, seconds):
    over = threading.Event()
    other = threading.Thread(target=keep_busy, args=(point, over))
    top = os.open(point, os.O_RDONLY)
    end = time.monotonic() + PATIENCE_SECONDS
    print('ready', flush=True)
    while not os.path.exists(sign) and time.monotonic() < end:
        pass
    seen = os.path.exists(sign)
    began = time.monotonic()
    other.start()
    if seconds == 'never':
        while os.path.exists(sign) and time.monotonic() < end:
            time.sleep(0.001)
    elif seen:
        time.sleep(float(seconds))
        fcntl.ioctl(top, SHUTDOWN, NO_LOG_FLUSH)
    lasted = time.monotonic() - began
    over.set()
    other.join()
    os.close(top)
    print('cut' if seen and seconds != 'never' else lasted)


main(*sys.argv[1:])

#!/usr/bin/env python3
"""What a file looks like after a power cut in the middle of FALLOC_FL_COLLAPSE_RANGE: the evidence of decision 0010.

usage: collapse-cut.py ext4|xfs [TRIES [EXTENTS [SECONDS]]]      root; e2fsprogs, xfsprogs

A file of EXTENTS blocks, each of which holds its own number, with a hole behind each, on a new file system in a loop file.
While the call runs another file is written and synced, as on any store in use; at a random moment within SECONDS the file
system is shut down without writing its log (what xfstests takes for a power cut), mounted again, and every block is looked at.
Where the file is half shifted the hole between the two halves is collapsed, to see whether that would finish the call.
"""
import ctypes, fcntl, os, random, shutil, struct, subprocess, sys, tempfile, threading, time

BLOCK = 4096
KEEP_SIZE_AND_PUNCH, COLLAPSE = 0x03, 0x08
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, struct.pack('I', 2)  # EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN
START, SHIFT = 2000, 2000  # in blocks

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def number_at(fd, block):
    return struct.unpack('<q', os.pread(fd, 8, block * BLOCK))[0]


def make(image, point, kind, extents):
    run('truncate', '-s', '3G', image)
    run(*{'ext4': ['mke2fs', '-q', '-F', '-t', 'ext4', '-J', 'size=4'], 'xfs': ['mkfs.xfs', '-q']}[kind], image)
    run('mount', '-o', 'loop', image, point)
    with open(f'{point}/file', 'wb') as file:
        for block in range(2 * extents):
            file.write(struct.pack('<q', block) * (BLOCK // 8))
        file.flush()
        os.fsync(file.fileno())
        for block in range(1, 2 * extents, 2):
            libc.fallocate(file.fileno(), KEEP_SIZE_AND_PUNCH, block * BLOCK, BLOCK)
    open(f'{point}/other', 'wb').close()
    run('umount', point)


def cut(point, seconds):
    """Collapses, and shuts the file system down at a random moment; true when that was inside the call."""
    file, other, top = (os.open(f'{point}/{name}', flags) for name, flags in
                        (('file', os.O_RDWR), ('other', os.O_RDWR), ('', os.O_RDONLY)))
    over = []

    def sync():
        while not over:
            try:
                os.pwrite(other, os.urandom(512), 0)
                os.fsync(other)
            except OSError:
                return

    threads = [threading.Thread(target=sync),
               threading.Thread(target=lambda: libc.fallocate(file, COLLAPSE, START * BLOCK, SHIFT * BLOCK))]
    for thread in threads:
        thread.start()
    time.sleep(seconds * random.random())
    inside = threads[1].is_alive()
    fcntl.ioctl(top, SHUTDOWN, NO_LOG_FLUSH)
    threads[1].join()
    over.append(True)
    threads[0].join()
    for fd in (file, other, top):
        os.close(fd)
    return inside


def look(point, blocks):
    fd = os.open(f'{point}/file', os.O_RDWR)
    size = os.fstat(fd).st_size // BLOCK
    numbers = [(at, number_at(fd, at)) for at in range(START, size)]
    shifted = [at for at, number in numbers if number == at + SHIFT]
    others = [at for at, number in numbers if number == at]
    half = bool(shifted) and (bool(others) or size == blocks)
    print(f'size {"as before" if size == blocks else "as behind"}, {len(shifted)} blocks shifted, {len(others)} not:',
          'HALF' if half else 'shifted' if shifted else 'as before')
    if shifted and others:
        libc.fallocate(fd, COLLAPSE, (others[0] - SHIFT) * BLOCK, SHIFT * BLOCK)
        wanted = lambda at: 0 if (at + SHIFT) % 2 else at + SHIFT
        wrong = sum(number_at(fd, at) != wanted(at) for at in range(START, blocks - SHIFT))
        print(f'    the hole collapsed: {wrong} blocks wrong')
    os.close(fd)


def main(kind, tries=8, extents=250_000, seconds=0.1):
    base = tempfile.mkdtemp(prefix='collapse-cut-')
    image, point = f'{base}/image', f'{base}/point'
    os.mkdir(point)
    make(image + '.new', point, kind, int(extents))
    try:
        for _ in range(int(tries)):
            run('cp', '--sparse=always', image + '.new', image)
            run('mount', '-o', 'loop', image, point)
            inside = cut(point, float(seconds))
            run('umount', point)
            run('mount', '-o', 'loop', image, point)
            print(kind, 'cut inside the call:' if inside else 'cut behind the call:', end=' ')
            look(point, 2 * int(extents))
            run('umount', point)
    finally:
        subprocess.run(['umount', '-q', point])
        shutil.rmtree(base)


main(*sys.argv[1:])

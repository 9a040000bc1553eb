/**
 * What runs on the server: reads requests from its standard input, one JSON object a line, and answers each with one
 * line. It opens files that it is told, copies and clears ranges inside them, and ends with its input. Python 3.5, which
 * ESXi 6.7 has, is enough; nothing but its standard library is used, and nothing is left behind.
 *
 * A file is locked (lockf) as long as it is open here: a helper whose connection broke off may still be writing, and the
 * next one must not begin before it has ended. It looks before each piece whether its input was closed, and ends then,
 * whatever it was still to do: nobody waits for the answer.
 */
export const HELPER_PROGRAM = `
import errno, fcntl, hashlib, json, os, select, sys
PIECE = 1 << 20
KERNEL_PIECE = 16 << 20
PAGE = 4096
MAX_RANGES = 4096
files = {}

def find_punch():
    try:
        import ctypes
        if ctypes.sizeof(ctypes.c_void_p) != 8:
            return None
        call = ctypes.CDLL(None, use_errno=True).fallocate
        call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        return call
    except Exception:
        return None

punch_call = find_punch()

# POLLERR, POLLHUP, POLLRDHUP
GONE = 0x08 | 0x10 | 0x2000
watch = select.poll()
watch.register(0, GONE)

def end_if_alone():
    if watch.poll(0):
        os._exit(1)

def punch(fd, at, length):
    # PUNCH_HOLE | KEEP_SIZE
    return punch_call is not None and punch_call(fd, 3, at, length) == 0

def read_all(fd, at, length):
    parts = []
    while length > 0:
        part = os.pread(fd, length, at)
        if not part:
            raise OSError(errno.EIO, 'end of file')
        parts.append(part)
        at += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b''.join(parts)

def write_all(fd, at, data):
    view = memoryview(data)
    while len(view) > 0:
        done = os.pwrite(fd, view, at)
        at += done
        view = view[done:]

kernel_copies = hasattr(os, 'copy_file_range')

def kernel_copy(fd, source, target, length):
    global kernel_copies
    done = 0
    while kernel_copies and done < length:
        end_if_alone()
        try:
            count = os.copy_file_range(fd, fd, min(KERNEL_PIECE, length - done), source + done, target + done)
        except OSError:
            # Reading and writing tells whether it is only this that cannot be done.
            kernel_copies = False
            break
        if count == 0:
            break
        done += count
    return done

def copy_data(fd, source, target, length):
    done = kernel_copy(fd, source, target, length) if length >= PIECE else 0
    while done < length:
        end_if_alone()
        part = read_all(fd, source + done, min(PIECE, length - done))
        write_all(fd, target + done, part)
        done += len(part)

def copy(fd, source, target, length):
    # Holes of the source become holes of the target.
    at = source
    for start, size in data_ranges(fd, source, length):
        zero(fd, target + at - source, start - at)
        copy_data(fd, start, target + start - source, size)
        at = start + size
    zero(fd, target + at - source, source + length - at)
    return {'length': length}

def data_ranges(fd, at, length):
    if not hasattr(os, 'SEEK_DATA'):
        return [[at, length]] if length > 0 else []
    end = at + length
    found = []
    while at < end and len(found) < MAX_RANGES:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return found
            return found + [[at, end - at]]
        if data >= end:
            return found
        hole = min(os.lseek(fd, data, os.SEEK_HOLE), end)
        if hole <= data:
            return found + [[data, end - data]]
        found.append([data, hole - data])
        at = hole
    return found + ([[at, end - at]] if at < end else [])

def clear(fd, at, length):
    zeros = bytes(PAGE)
    done = 0
    while done < length:
        end_if_alone()
        part = read_all(fd, at + done, min(PIECE, length - done))
        for start in range(0, len(part), PAGE):
            page = part[start:start + PAGE]
            if page != zeros[:len(page)]:
                write_all(fd, at + done + start, zeros[:len(page)])
        done += len(part)

def zero(fd, at, length):
    for start, size in data_ranges(fd, at, length):
        if not punch(fd, start, size):
            clear(fd, start, size)
    return {}

def open_file(path, lock_file):
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(lock_file, 'rb') as note:
            text = note.read(4096).decode('utf-8', 'replace')
        head = read_all(fd, 0, min(65536, os.fstat(fd).st_size))
    except Exception:
        os.close(fd)
        raise
    files[fd] = True
    return {'fd': fd, 'size': os.fstat(fd).st_size, 'note': text, 'head': hashlib.sha256(head).hexdigest()}

def close_file(fd):
    files.pop(fd)
    os.close(fd)
    return {}

def answer(request):
    op = request['op']
    if op == 'hello':
        return {'hello': 1, 'punch': punch_call is not None}
    if op == 'open':
        return open_file(request['path'], request['lock'])
    fd = request['fd']
    if fd not in files:
        raise OSError(errno.EBADF, 'not open')
    if op == 'close':
        return close_file(fd)
    if op == 'copy':
        return copy(fd, request['from'], request['to'], request['length'])
    if op == 'zero':
        return zero(fd, request['at'], request['length'])
    if op == 'ranges':
        return {'ranges': data_ranges(fd, request['at'], request['length'])}
    raise OSError(errno.ENOSYS, 'unknown')

while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    request = json.loads(line.decode('utf-8'))
    try:
        reply = answer(request)
    except OSError as error:
        reply = {'error': errno.errorcode.get(error.errno, 'EIO')}
    except Exception:
        reply = {'error': 'EIO'}
    reply['id'] = request['id']
    sys.stdout.write(json.dumps(reply) + '\\n')
    sys.stdout.flush()
`;

/** Reads the program from standard input, by its length, and runs it: the command line holds no name and no text of it. */
export const HELPER_COMMAND =
  "exec python3 -u -c 'import sys; i = sys.stdin.buffer; exec(i.read(int(i.readline())).decode())'";

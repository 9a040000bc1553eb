import type { ClientChannel } from 'ssh2';
import { conflict, deviceError, type VmreclaimError } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import { MIB } from '../../core/units.js';
import type { InPlace } from './copier.js';
import { linkLost } from './errors.js';
import { HELPER_COMMAND, HELPER_PROGRAM } from './helper-program.js';
import { type Session, SLOW_REQUEST_MS } from './session.js';
import { openChannel } from './shell.js';

/** One request copies so much at most: a stop of the run is noticed, and the deadline means something. */
const COPY_BYTES = 32 * MIB;
const START_MS = 30_000;
/** An answer is a line; the longest has 4096 ranges. */
const MAX_LINE = 1 * MIB;
/** A helper of a broken connection ends with the request it is at. */
const LOCK_TRIES = 10;
const LOCK_PAUSE_MS = 1000;

type Reply = Readonly<Record<string, unknown>>;

/** The program on the server, and the requests that wait for its answers. */
export class HelperProcess {
  private readonly waiting = new Map<number, (reply: Reply | Error) => void>();
  private nextId = 1;
  private text = '';
  private ended = false;
  canPunch = false;

  private constructor(
    private readonly session: Session,
    private readonly channel: ClientChannel,
  ) {
    channel.setEncoding('utf8').on('data', (text: string) => this.receive(text));
    // What python complains about is of no use to anybody here; unread it would block the channel.
    channel.stderr.resume();
    channel.once('close', () => this.end());
  }

  /** Starts it; undefined where the server runs no commands or has no Python 3. */
  static async start(session: Session): Promise<HelperProcess | undefined> {
    try {
      const helper = new HelperProcess(session, await openChannel(session, HELPER_COMMAND));
      const program = Buffer.from(HELPER_PROGRAM);
      helper.channel.write(`${program.length}\n`);
      helper.channel.write(program);
      const { hello, punch } = await helper.ask({ op: 'hello' }, START_MS);
      helper.canPunch = punch === true;
      return hello === 1 ? helper : undefined;
    } catch (error) {
      if (session.lost !== undefined) throw error;
      return undefined;
    }
  }

  get isAlive(): boolean {
    return !this.ended;
  }

  /** One request. Device (helper) with what the system of the server says; link-lost when the program has ended. */
  async ask(request: Reply, milliseconds = SLOW_REQUEST_MS): Promise<Reply> {
    const reply = await this.session.guard<Reply>((done) => {
      if (this.ended) return done(this.gone(), {});
      const id = this.nextId++;
      this.waiting.set(id, (answer) => (answer instanceof Error ? done(answer, {}) : done(null, answer)));
      this.channel.write(`${JSON.stringify({ id, ...request })}\n`);
    }, milliseconds);
    if (typeof reply.error === 'string') throw new HelperFailure(reply.error);
    return reply;
  }

  private receive(text: string): void {
    this.text += text;
    if (this.text.length > MAX_LINE) {
      this.end();
      return;
    }
    const lines = this.text.split('\n');
    this.text = lines.pop() ?? '';
    for (const line of lines) this.take(line);
  }

  private take(line: string): void {
    const reply = parseReply(line);
    const id = reply?.id;
    const done = typeof id === 'number' ? this.waiting.get(id) : undefined;
    if (reply === undefined || typeof id !== 'number' || done === undefined) {
      this.end();
      return;
    }
    this.waiting.delete(id);
    done(reply);
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const done of this.waiting.values()) done(this.gone());
    this.waiting.clear();
    this.channel.close();
  }

  /** Like a lost connection: what was asked for may or may not have been done, and a new start is the remedy. */
  private gone(): VmreclaimError {
    return linkLost(this.session.label, 'the helper program on the server ended');
  }
}

/** What the operating system of the server said: a name like ENOSPC. */
class HelperFailure extends Error {
  constructor(readonly errno: string) {
    super(errno);
  }
}

function parseReply(line: string): Reply | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Reply) : undefined;
  } catch {
    return undefined;
  }
}

/** What proves that the helper sees the file that is open over SFTP, and not another of the same name. */
export interface Proof {
  readonly sizeBytes: number;
  /** SHA-256 of the first 64 KiB, in hex. */
  readonly head: string;
  readonly nonce: string;
}

/**
 * Lets the helper work inside one file. Undefined when it cannot open it or sees another one (a server may show SFTP
 * users only a part of its files). Conflict (in-use) when a program on the server holds the file.
 */
export async function helperInPlace(
  helper: HelperProcess,
  path: string,
  lockFile: string,
  url: string,
  proof: Proof,
): Promise<InPlace | undefined> {
  const opened = await openPatiently(helper, path, lockFile, url);
  if (opened === undefined) return undefined;
  const { fd, size, note, head } = opened;
  const isSame = size === proof.sizeBytes && head === proof.head && String(note).includes(proof.nonce);
  if (typeof fd !== 'number') return undefined;
  if (!isSame) {
    await helper.ask({ op: 'close', fd });
    return undefined;
  }
  return new HelperFile(helper, fd, url);
}

async function openPatiently(
  helper: HelperProcess,
  path: string,
  lock: string,
  url: string,
): Promise<Reply | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      return await helper.ask({ op: 'open', path, lock });
    } catch (error) {
      if (!(error instanceof HelperFailure)) throw error;
      if (error.errno !== 'EAGAIN') return undefined;
      if (tries === LOCK_TRIES) throw inUse(url);
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
  }
}

const inUse = (path: string): VmreclaimError =>
  conflict('in-use', `${path} is in use by a program on the server`, {
    path,
    hint: 'power off the machine that uses it; if a connection broke off, wait a little and try again',
  });

class HelperFile implements InPlace {
  readonly kind = 'helper';
  readonly smallestCopy = 1;
  readonly canPunch: boolean;

  constructor(
    private readonly helper: HelperProcess,
    private readonly fd: number,
    private readonly url: string,
  ) {
    this.canPunch = helper.canPunch;
  }

  async copy(from: number, to: number, length: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const piece = Math.min(COPY_BYTES, length - done);
      const range = { from: from + done, to: to + done, length: piece };
      const reply = await this.ask('copy inside', { op: 'copy', ...range });
      if (reply.length !== piece) throw this.nonsense();
      done += piece;
    }
  }

  readonly zero = async (at: number, length: number): Promise<void> => {
    for (let done = 0; done < length; done += COPY_BYTES) {
      const piece = Math.min(COPY_BYTES, length - done);
      await this.ask('clear', { op: 'zero', at: at + done, length: piece });
    }
  };

  readonly dataRanges = async (at: number, length: number): Promise<ByteRange[]> => {
    const { ranges } = await this.ask('find the holes of', { op: 'ranges', at, length });
    if (!Array.isArray(ranges)) throw this.nonsense();
    let last = at;
    return ranges.map((range: unknown) => {
      const [start, size] = Array.isArray(range) ? (range as unknown[]) : [];
      const isRange =
        Number.isSafeInteger(start) &&
        Number.isSafeInteger(size) &&
        (start as number) >= last &&
        (size as number) > 0 &&
        (start as number) + (size as number) <= at + length;
      if (!isRange) throw this.nonsense();
      last = (start as number) + (size as number);
      return { at: start as number, length: size as number };
    });
  };

  async close(): Promise<void> {
    if (this.helper.isAlive) await this.helper.ask({ op: 'close', fd: this.fd });
  }

  private async ask(doing: string, request: Reply): Promise<Reply> {
    try {
      return await this.helper.ask({ fd: this.fd, ...request });
    } catch (error) {
      if (!(error instanceof HelperFailure)) throw error;
      const isFull = error.errno === 'ENOSPC' || error.errno === 'EDQUOT';
      throw deviceError(
        isFull ? 'no-space' : 'io',
        `cannot ${doing} ${this.url} on the server: ${error.errno}`,
        {
          path: this.url,
        },
      );
    }
  }

  private nonsense(): VmreclaimError {
    return deviceError(
      'server-answer',
      'the helper program on the server gave an answer that makes no sense',
      {
        path: this.url,
        hint: 'resume with --remote-helper off',
      },
    );
  }
}

import type { Client, SFTPWrapper } from 'ssh2';
import { VmreclaimError } from '../../core/errors.js';
import { linkLost, meansLost } from './errors.js';
import { Slots } from './slots.js';

/** An answer that takes longer means a dead connection or server. */
const REQUEST_MS = 30_000;
/** Flushing and copying on the server may have much to write. */
export const SLOW_REQUEST_MS = 600_000;
/** Requests with data under way at once: 4 of 255 KiB keep a link of 50 MB/s and 20 ms busy, and cost 1 MiB. */
const DATA_REQUESTS = 4;

/** A node-style callback with one result. */
type Callback<T> = (error: Error | null | undefined, value: T) => void;

/** The callback of a request whose answer is only that it was done. */
export const asVoid =
  (done: Callback<never>) =>
  (error?: Error | null): void =>
    done(error, undefined as never);

/**
 * One SSH connection with its SFTP channel. The library never calls back for requests that are issued after the
 * connection died; so each one has a deadline, and everything under way is rejected when the connection closes.
 */
export class Session {
  readonly data = new Slots(DATA_REQUESTS);
  private failure: VmreclaimError | undefined;
  private readonly pending = new Set<(error: VmreclaimError) => void>();

  constructor(
    readonly label: string,
    readonly client: Client,
    private readonly sftp: SFTPWrapper,
  ) {
    const closed = (): void => this.fail('the server closed it');
    client.once('close', closed).once('end', closed);
    // Without a listener the library would throw into the event loop.
    client.on('error', () => this.fail('an error of the transport'));
    sftp.once('close', closed).once('end', closed);
    sftp.on('error', () => this.fail('an answer that is no SFTP'));
  }

  /** Undefined while the connection lives. */
  get lost(): VmreclaimError | undefined {
    return this.failure;
  }

  /**
   * One request. Rejects with Device (link-lost) when the connection is gone or the answer does not come in time,
   * else with what the server said. The timer also keeps the process alive while something is under way.
   */
  request<T>(start: (sftp: SFTPWrapper, done: Callback<T>) => void, milliseconds = REQUEST_MS): Promise<T> {
    return this.guard((done) => start(this.sftp, done), milliseconds);
  }

  /** Like request, for what is not SFTP. */
  guard<T>(start: (done: Callback<T>) => void, milliseconds = REQUEST_MS): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      const give = (error: unknown): void => {
        clearTimeout(timer);
        this.pending.delete(give);
        reject(error);
      };
      const timer = setTimeout(() => this.fail('the server does not answer'), milliseconds);
      this.pending.add(give);
      try {
        start((error, value) => {
          if (error === null || error === undefined) {
            clearTimeout(timer);
            this.pending.delete(give);
            resolve(value);
          } else if (error instanceof VmreclaimError || !meansLost(error)) give(error);
          else this.fail('no answer from the server');
        });
      } catch (error) {
        give(error);
      }
    });
  }

  /** Ends the connection; everything under way is rejected. */
  end(): void {
    this.fail('it was closed');
  }

  private fail(why: string): void {
    if (this.failure !== undefined) return;
    this.failure = linkLost(this.label, why);
    for (const reject of [...this.pending]) reject(this.failure);
    this.client.end();
    this.client.destroy();
  }
}

import type { Reason } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';

/** Work inside one open file that the server does by itself: no disk data on the wire. */
export interface InPlace {
  /** For messages: `helper` or `copy-data`. */
  readonly kind: 'helper' | 'copy-data';
  /** Bytes from which on the server is better at it than reading and writing from here. */
  readonly smallestCopy: number;
  /** The ranges do not overlap. Resolves when the server has done it; durable only behind a flush. */
  copy(from: number, to: number, length: number): Promise<void>;
  /** Makes a range read as zeros. Absent: over the wire. */
  readonly zero?: (at: number, length: number) => Promise<void>;
  /** Holes are known. Absent: they are not. */
  readonly dataRanges?: (at: number, length: number) => Promise<ByteRange[]>;
  /** zero() gives blocks back to the store. */
  readonly canPunch: boolean;
  close(): Promise<void>;
}

/** How data moves inside a disk of a server. */
export type CopyWay = InPlace['kind'] | 'wire';

const WITHOUT_JOURNAL = 'what passes through the journal crosses the wire';
/** The same for people (Store.copyNote). */
export const WAY_NOTES: Readonly<Record<CopyWay, Reason>> = {
  helper: {
    code: 'copied-on-server',
    message: `data moves on the server, by a helper program; ${WITHOUT_JOURNAL}`,
  },
  'copy-data': {
    code: 'copied-on-server',
    message: `data moves on the server, by its own copy-data; ${WITHOUT_JOURNAL}`,
  },
  wire: { code: 'copied-over-wire', message: 'all data crosses the wire, twice' },
};
/** Before the lock, where only a trial could tell. */
export const GUESS_NOTE: Reason = {
  code: 'copied-on-server-maybe',
  message:
    'there is no Python 3 on the server: it copies by itself if a trial under the lock shows that it can',
};

/**
 * The parts of the NBD protocol that are spoken here: fixed newstyle negotiation, simple replies. Source: the
 * protocol document of the Network Block Device project (doc/proto.md). All numbers are big-endian.
 */
import { KIB, MIB } from '../../../core/units.js';

/** `NBDMAGIC` and `IHAVEOPT`. */
const GREETING_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;

/** Handshake flags, of both sides. */
export const FIXED_NEWSTYLE = 1;
export const NO_ZEROES = 2;

export const OPTION = { exportName: 1, abort: 2, list: 3, info: 6, go: 7 } as const;
export const OPTION_REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  unsupported: 0x8000_0001,
  invalid: 0x8000_0003,
} as const;
const INFO = { export: 0, blockSize: 3 } as const;

export const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, writeZeroes: 6 } as const;
const TRANSMISSION = {
  hasFlags: 0x1,
  readOnly: 0x2,
  sendFlush: 0x4,
  sendFua: 0x8,
  sendTrim: 0x20,
  sendWriteZeroes: 0x40,
  canMultiConn: 0x100,
} as const;

/** Errno of replies; the numbers of Linux, wherever the server runs. */
export const ERROR = { none: 0, notPermitted: 1, io: 5, invalid: 22, noSpace: 28 } as const;

export const REQUEST_BYTES = 28;
export const OPTION_HEADER_BYTES = 16;
/** The longest option is a name of 4096 bytes with a few numbers; what claims more is not listened to. */
export const OPTION_BYTES_MAX = 8 * KIB;
/** What a client that was told no limit may send (doc/proto.md, block size constraints). */
export const PAYLOAD_BYTES_MAX = 32 * MIB;
/** Held in memory at once, and told to clients as the largest request that is welcome. */
export const PIECE_BYTES = 256 * KIB;
const PREFERRED_BYTES = 4 * KIB;
/** Behind the answer to EXPORT_NAME, unless both sides left them out. */
const EXPORT_NAME_ZEROES = 124;

export interface ExportFlags {
  readonly writable: boolean;
  /** Take TRIM and WRITE_ZEROES. */
  readonly discards: boolean;
}

/** What is offered under every name: one device. */
export interface Export extends ExportFlags {
  readonly sizeBytes: number;
}

function transmissionFlags({ writable, discards }: ExportFlags): number {
  const { hasFlags, readOnly, sendFlush, sendFua, sendTrim, sendWriteZeroes, canMultiConn } = TRANSMISSION;
  if (!writable) return hasFlags | readOnly | canMultiConn;
  return hasFlags | sendFlush | sendFua | canMultiConn | (discards ? sendTrim | sendWriteZeroes : 0);
}

function message(length: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer));
  return bytes;
}

/** What the server says first. */
export const greeting = (): Uint8Array =>
  message(18, (view) => {
    view.setBigUint64(0, GREETING_MAGIC);
    view.setBigUint64(8, OPTION_MAGIC);
    view.setUint16(16, FIXED_NEWSTYLE | NO_ZEROES);
  });

const NOTHING = new Uint8Array(0);

/** An answer to an option, with its data. */
export function optionReply(option: number, type: number, data: Uint8Array = NOTHING): Uint8Array {
  const bytes = message(20 + data.length, (view) => {
    view.setBigUint64(0, OPTION_REPLY_MAGIC);
    view.setUint32(8, option);
    view.setUint32(12, type);
    view.setUint32(16, data.length);
  });
  bytes.set(data, 20);
  return bytes;
}

/** NBD_INFO_EXPORT: size and flags. */
export const exportInfo = (exported: Export): Uint8Array =>
  message(12, (view) => {
    view.setUint16(0, INFO.export);
    view.setBigUint64(2, BigInt(exported.sizeBytes));
    view.setUint16(10, transmissionFlags(exported));
  });

/** NBD_INFO_BLOCK_SIZE: any byte may be addressed. */
export const blockSizeInfo = (): Uint8Array =>
  message(14, (view) => {
    view.setUint16(0, INFO.blockSize);
    view.setUint32(2, 1);
    view.setUint32(6, PREFERRED_BYTES);
    view.setUint32(10, PIECE_BYTES);
  });

/** The answer to EXPORT_NAME, which has no header. */
export const exportNameReply = (exported: Export, noZeroes: boolean): Uint8Array =>
  message(10 + (noZeroes ? 0 : EXPORT_NAME_ZEROES), (view) => {
    view.setBigUint64(0, BigInt(exported.sizeBytes));
    view.setUint16(8, transmissionFlags(exported));
  });

export interface Request {
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
}

/** The request in a header; undefined without its magic: the stream is out of step and cannot be trusted any more. */
export function parseRequest(header: Uint8Array): Request | undefined {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  if (view.getUint32(0) !== REQUEST_MAGIC) return undefined;
  return {
    command: view.getUint16(6),
    cookie: view.getBigUint64(8),
    // Above 2^53 it is no longer exact, and outside every device all the same.
    offset: Number(view.getBigUint64(16)),
    length: view.getUint32(24),
  };
}

export const simpleReply = (cookie: bigint, error: number): Uint8Array =>
  message(16, (view) => {
    view.setUint32(0, REPLY_MAGIC);
    view.setUint32(4, error);
    view.setBigUint64(8, cookie);
  });

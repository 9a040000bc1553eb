import { VmreclaimError } from '../../../core/errors.js';
import type { BlockDevice } from '../../../device/types.js';
import type { Connection } from './connection.js';
import {
  COMMAND,
  ERROR,
  type Export,
  PAYLOAD_BYTES_MAX,
  PIECE_BYTES,
  parseRequest,
  REQUEST_BYTES,
  type Request,
  simpleReply,
} from './protocol.js';

/** The device behind an export, and what its requests are told to. */
export interface Served {
  readonly device: BlockDevice;
  readonly exported: Export;
  /** One access after the other, whatever the number of clients. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** An access failed: the client only learns a number. */
  failed(error: unknown): void;
}

/**
 * Answers requests until the client says goodbye (true), is gone, or sends what cannot be trusted (false). Memory is
 * bounded by pieces, whatever a request asks for.
 */
export async function transmit(client: Connection, served: Served): Promise<boolean> {
  for (;;) {
    const header = await client.take(REQUEST_BYTES);
    const request = header && parseRequest(header);
    if (request === undefined) return false;
    if (request.command === COMMAND.disconnect) return true;
    if (!(await answer(client, served, request))) return false;
  }
}

/** False when the stream cannot go on. */
async function answer(client: Connection, served: Served, request: Request): Promise<boolean> {
  const { command, cookie, length } = request;
  const isData = command === COMMAND.read || command === COMMAND.write;
  // A payload of this length is not waited for: nobody was told that it would be taken.
  if (isData && length > PAYLOAD_BYTES_MAX) return false;
  const obstacle = obstacleOf(served.exported, request);
  if (command === COMMAND.write) {
    await client.send(simpleReply(cookie, await takeWrite(client, served, request, obstacle)));
    return true;
  }
  if (obstacle !== ERROR.none || command !== COMMAND.read) {
    const error = obstacle !== ERROR.none ? obstacle : await perform(served, () => others(served, request));
    await client.send(simpleReply(cookie, error));
    return true;
  }
  return sendRead(client, served, request);
}

/** Why a request is not carried out at all; 0: nothing is against it. */
function obstacleOf({ writable, discards, sizeBytes }: Export, { command, offset, length }: Request): number {
  const changes = command === COMMAND.write || command === COMMAND.trim || command === COMMAND.writeZeroes;
  if (command !== COMMAND.read && command !== COMMAND.flush && !changes) return ERROR.invalid;
  if (changes && !writable) return ERROR.notPermitted;
  if (changes && command !== COMMAND.write && !discards) return ERROR.invalid;
  if (command === COMMAND.flush) return ERROR.none;
  if (offset <= sizeBytes - length) return ERROR.none;
  return changes ? ERROR.noSpace : ERROR.invalid;
}

/** The payload must be taken off the stream even when it is not wanted. */
async function takeWrite(
  client: Connection,
  served: Served,
  { offset, length }: Request,
  obstacle: number,
): Promise<number> {
  let error = obstacle;
  for (let done = 0; done < length; done += PIECE_BYTES) {
    const piece = await client.needPiece(Math.min(PIECE_BYTES, length - done));
    if (error === ERROR.none)
      error = await perform(served, () => served.device.writeAt(offset + done, piece));
  }
  return error;
}

async function others({ device }: Served, { command, offset, length }: Request): Promise<void> {
  if (command === COMMAND.flush) await device.flush();
  else if (length > 0) await device.discard(offset, length);
}

/** The first piece is read before the answer begins; should a later one fail, only the connection can be dropped. */
async function sendRead(client: Connection, served: Served, request: Request): Promise<boolean> {
  const { cookie, offset, length } = request;
  for (let done = 0; done === 0 || done < length; done += PIECE_BYTES) {
    const piece = client.piece(Math.min(PIECE_BYTES, length - done));
    const error = await perform(served, () => served.device.readInto(offset + done, piece));
    if (error !== ERROR.none && done > 0) return false;
    if (done === 0) await client.send(simpleReply(cookie, error));
    if (error !== ERROR.none) return true;
    if (piece.length > 0) await client.send(piece);
  }
  return true;
}

async function perform(served: Served, work: () => Promise<void>): Promise<number> {
  try {
    await served.inTurn(work);
    return ERROR.none;
  } catch (error) {
    served.failed(error);
    return error instanceof VmreclaimError && error.code === 'no-space' ? ERROR.noSpace : ERROR.io;
  }
}

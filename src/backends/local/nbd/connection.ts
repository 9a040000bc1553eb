import type { Socket } from 'node:net';
import { deviceError } from '../../../core/errors.js';
import { PIECE_BYTES } from './protocol.js';

/** A client's socket as bytes in order: asked for by count, and sent one message after the other. */
export class Connection {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Uint8Array = new Uint8Array(0);

  private buffer: Uint8Array | undefined;

  constructor(private readonly socket: Socket) {
    this.chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The next `length` bytes; undefined when the client is gone before the first of them. Throws Device in between. */
  async take(length: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(length);
    return (await this.fill(bytes)) ? bytes : undefined;
  }

  /** Fills the target; false when the client is gone before the first byte. Throws Device in between. */
  private async fill(target: Uint8Array): Promise<boolean> {
    for (let filled = 0; filled < target.length; ) {
      if (this.rest.length === 0) {
        const next = await this.chunks.next();
        if (next.done === true) {
          if (filled === 0) return false;
          throw away();
        }
        this.rest = next.value;
      }
      const part = this.rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.rest = this.rest.subarray(part.length);
    }
    return true;
  }

  /** Bytes that must follow. Throws Device when they do not. */
  async need(length: number): Promise<Uint8Array> {
    const bytes = length === 0 ? new Uint8Array(0) : await this.take(length);
    if (bytes !== undefined) return bytes;
    throw away();
  }

  /** The next bytes, which must follow, in the buffer that is used again for the next piece. */
  async needPiece(length: number): Promise<Uint8Array> {
    const piece = this.piece(length);
    if (await this.fill(piece)) return piece;
    throw away();
  }

  /** The one buffer of this client, for the pieces of requests: nothing is left behind by them. */
  piece(length: number): Uint8Array {
    this.buffer ??= new Uint8Array(PIECE_BYTES);
    return this.buffer.subarray(0, length);
  }

  /** Sent when it returns: what is not taken by the client does not pile up in memory. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Says nothing more. */
  end(): void {
    this.socket.destroy();
  }
}

const away = () => deviceError('nbd-client', 'the client went away in the middle of a message');

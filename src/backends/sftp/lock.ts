import { randomBytes } from 'node:crypto';
import { conflict, type VmreclaimError } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { ClientName } from '../../device/store.js';

/** What a lock file says. */
interface LockNote {
  readonly client: ClientName;
  readonly since: string;
  /** The file as its owner calls it, and so the name of the owner's lock on its own machine. */
  readonly disk: string;
  /** Proves to a program on the host that it sees the same folder. */
  readonly nonce: string;
}

export function lockNote(client: ClientName, disk: string): { bytes: Uint8Array; nonce: string } {
  const nonce = randomBytes(16).toString('hex');
  const note: LockNote = { client, since: new Date().toISOString(), disk, nonce };
  return { bytes: new TextEncoder().encode(`${JSON.stringify(note)}\n`), nonce };
}

/** What a lock file says; undefined when it is torn, or was not written by this program. */
export function parseLockNote(bytes: Uint8Array): LockNote | undefined {
  try {
    const { client, since, disk, nonce } = JSON.parse(new TextDecoder().decode(bytes)) as LockNote;
    const texts = [client.id, client.host, since, disk, nonce];
    return texts.every((text) => typeof text === 'string') ? { client, since, disk, nonce } : undefined;
  } catch {
    return undefined;
  }
}

/** Another client has the lock, or had it when it died: only a person can tell. */
export function lockedBy(path: string, lockFile: string, owner: LockNote | undefined): VmreclaimError {
  const who =
    owner === undefined
      ? 'somebody'
      : `vmreclaim on ${cleanText(owner.client.host)}, since ${cleanText(owner.since)}`;
  return conflict('in-use', `${path} is in use by ${who}`, {
    path: lockFile,
    hint: 'wait for it to end, or go on from that machine; if it is gone for good, remove the lock file',
  });
}

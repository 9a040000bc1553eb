import { conflict, type VmreclaimError } from '../core/errors.js';
import { cleanText, shellQuote } from '../core/text.js';
import type { ClientName, Store } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import { CHECKPOINT_FILE_BYTES, CheckpointFile } from './slots.js';
import type { RunHeader } from './types.js';

/** Where the files of a journal lie. */
export interface Place {
  readonly store: Store;
  readonly folder: string;
}

/** Beside the disk, or in the room that its store has for journals. */
export function placeOf(store: Store, diskPath: string): Place {
  const room = store.journals;
  if (room === undefined) return { store, folder: runFolderOf(diskPath) };
  return { store: room.store, folder: room.folderOf(diskPath) };
}

/** What lies beside a disk as `run.json` when the journal is elsewhere. */
interface Pointer {
  readonly runId: string;
  readonly startedAt: string;
  readonly client: ClientName;
  /** The disk as that client calls it. */
  readonly disk: string;
}

/** The pointer in the bytes of a `run.json`; undefined when it is none. */
export async function parsePointer(bytes: Uint8Array): Promise<Pointer | undefined> {
  const { pointer } = await import('./shapes.js');
  try {
    return pointer.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}

/** A pointer to a run, for programs and for people. */
export function pointerBytes(header: RunHeader, client: ClientName, diskPath: string): Uint8Array {
  const pointer = {
    formatVersion: 1,
    journalElsewhere: true,
    runId: header.runId,
    version: header.version,
    startedAt: header.startedAt,
    client,
    disk: diskPath,
    resume: `on ${client.host}: vmreclaim resume ${shellQuote(diskPath)}`,
  };
  return new TextEncoder().encode(`${JSON.stringify(pointer, null, 1)}\n`);
}

/** Only where the journal is can the run go on. */
export function elsewhere(path: string, pointer: Pointer | undefined): VmreclaimError {
  if (pointer === undefined) {
    return conflict('other-client', 'a run on this disk is in flight that was begun on the server itself', {
      path,
      hint: 'resume it there',
    });
  }
  const { runId, startedAt, client, disk } = pointer;
  const what = `the run ${cleanText(runId)} on this disk was begun on ${cleanText(client.host)} at ${cleanText(startedAt)}`;
  return conflict('other-client', `${what}, and its journal is kept there`, {
    path,
    hint: `on that machine: vmreclaim resume ${shellQuote(disk)} (or, after putting a backup back: vmreclaim abandon --force)`,
  });
}

/** True for the journal of a run that has not begun to change the disk. */
export async function isLeftover(store: Store, checkpointPath: string): Promise<boolean> {
  const file = await store.open(checkpointPath, 'read');
  try {
    if (file.sizeBytes !== CHECKPOINT_FILE_BYTES) return false;
    return (await new CheckpointFile(file).read())?.started === false;
  } finally {
    await file.close();
  }
}

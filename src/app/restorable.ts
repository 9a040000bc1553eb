import { damaged, refused } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store } from '../device/store.js';
import { hiddenNameOf } from '../disk/names.js';
import { Journal } from '../execute/journal.js';
import { checkCopies, safetyPaths } from '../execute/safety-copy.js';
import type { Checkpoint, SafetyFile } from '../execute/types.js';
import type { RunInFlight } from './find-run.js';
import type { OpenOptions } from './open.js';

/** True when the disk of the run in flight is being put back, so that its program must not go on. */
export async function isRestoring(store: Store, { header, source }: RunInFlight): Promise<boolean> {
  if (header.safetyCopy === undefined) return false;
  return (await checkpointOf(store, source.path)).restore !== undefined;
}

/** The newest checkpoint of the run in flight of a disk. */
export async function checkpointOf(store: Store, diskPath: string): Promise<Checkpoint> {
  const journal = await Journal.open(store, diskPath);
  try {
    return await readCheckpoint(journal);
  } finally {
    await journal.close();
  }
}

/** The newest checkpoint. Damaged (journal) when both are. */
export async function readCheckpoint(journal: Journal): Promise<Checkpoint> {
  const checkpoint = await journal.checkpoints.read();
  if (checkpoint !== undefined) return checkpoint;
  throw damaged('journal', 'both checkpoints of the run journal are damaged', { path: journal.folder });
}

/** Throws Refused (no-safety-copy) when the run has none. */
export function copiesOf({ header, source }: RunInFlight): readonly SafetyFile[] {
  if (header.safetyCopy !== undefined) return header.safetyCopy;
  throw refused('no-safety-copy', 'the run was begun without a safety copy: there is nothing to go back to', {
    path: source.path,
    hint: `vmreclaim resume ${shellQuote(source.path)} finishes it; vmreclaim abandon drops it while the disk is unchanged`,
  });
}

/** Everything that stands against putting the disk back, before anything of it changes. */
export async function checkPossible(
  store: Store,
  { header, source }: RunInFlight,
  copies: readonly SafetyFile[],
  { verified, restore }: Checkpoint,
  { allowOutsideExtents = false }: OpenOptions,
): Promise<void> {
  if (restore === 'done') return;
  const path = source.path;
  const isHidden = (await store.stat(hiddenNameOf(path))) !== undefined;
  if (restore === undefined && verified && !isHidden) {
    throw refused('guest-may-own', 'the run is as good as over: a guest may have changed the disk since', {
      path,
      hint: `end it with: vmreclaim resume ${shellQuote(path)}`,
    });
  }
  for (const { file } of copies) {
    if (store.nameOf(file) === file || allowOutsideExtents) continue;
    throw refused('outside-extent', 'the safety copy is of a file outside the folder of the disk', {
      path: file,
      hint: 'if that is meant, say --allow-outside-extents',
    });
  }
  if (copies.filter(({ role }) => role === 'extent').length !== header.extents.length) {
    throw damaged('journal', 'the run journal does not name a copy of every extent file', { path });
  }
  await checkCopies(store, path, copies);
  const [first] = copies;
  const obstacle = first && (await store.whyNoClone?.(safetyPaths(store, path, first).copy));
  if (obstacle !== undefined) throw refused(obstacle.code, obstacle.message, { path });
}

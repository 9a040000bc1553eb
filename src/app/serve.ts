import { loadNbd, loadServedFile, locate, openScratch } from '../backends/registry.js';
import { deviceError, type Reason, refusal, refused, unsupported, usageError } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import { formatSize } from '../core/size.js';
import { Overlay } from '../device/overlay.js';
import type { BlockDevice } from '../device/types.js';
import { windowDevice } from '../device/window.js';
import { openSource } from '../disk/open.js';
import type { Disk } from '../disk/types.js';
import { inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { plannedFixups, plannedWarnings } from '../plan/fixups.js';
import { currentPlaces } from '../plan/place.js';
import { makePlan } from '../plan/plan.js';
import { layoutRequest, type Plan } from '../plan/types.js';
import { capturedSteps, changedBytes, journalBytesFor, MAX_CAPTURED_SEGMENTS } from '../tools/captured.js';
import { checkUnchanged, execute } from './change.js';
import { type OpenOptions, withDisk } from './open.js';
import { type Outcome, outcome } from './outcome.js';
import { checkRoom } from './room.js';
import type { Services } from './services.js';

/** Patched bytes held in memory. */
const MEMORY_BYTES = 4 * 1024 * 1024;

export interface ServeOptions extends OpenOptions {
  readonly partition: number;
  readonly write: boolean;
  /** Where: an NBD socket, or a folder in which the partition appears as a file. */
  readonly place: { readonly socket: string } | { readonly mount: string };
  /** Aborted when the operator wants no more; what was written is still committed then. */
  readonly stop: AbortSignal;
  /** It is there now: at this path. */
  readonly onServing: (path: string) => void;
  /** It was stopped, and the file is still in use: says so, and returns what ends the waiting. */
  readonly onBusy: () => AbortSignal;
}

/** A session that changed nothing has no outcome. */
export interface Session {
  readonly disk: string;
  readonly outcome: Outcome | null;
}

/**
 * Serves one partition to programs of the operator until they are done with it. What they write goes to an overlay, and
 * is committed as a run at the end: until then the disk is as it was, whatever becomes of the session. The services
 * are asked for when it is over.
 */
export async function servePartition(
  target: string,
  options: ServeOptions,
  services: () => Services,
): Promise<Session> {
  const { store, path } = await locate(target, options.remote);
  const source = await openSource(store, path, options);
  if (source.extents.length === 0) throw stateError(source.reasons);
  return withDisk(source, { writable: options.write }, async (disk) => {
    const facts = await inspectDisk(disk, { forChange: options.write });
    const partition = partitionToServe(facts, options);
    const range = {
      at: partition.startLba * facts.sectorSize,
      length: partition.sectorCount * facts.sectorSize,
    };
    if (!options.write) {
      await serve(windowDevice(disk.device, range.at, range.length), options, () => false);
      return { disk: facts.path, outcome: null };
    }
    const overlay = new Overlay(disk.device, {
      spill: openScratch,
      memoryBytes: MEMORY_BYTES,
      maxSegments: MAX_CAPTURED_SEGMENTS,
    });
    try {
      const isWritten = () => overlay.segmentCount > 0;
      const isClean = await serve(windowDevice(overlay, range.at, range.length), options, isWritten);
      if (!isWritten()) return { disk: facts.path, outcome: null };
      const written = { overlay, number: partition.number, range, isClean };
      return { disk: facts.path, outcome: await commit(disk, facts, written, options, services()) };
    } finally {
      await overlay.close();
    }
  });
}

function partitionToServe(facts: DiskFacts, { partition: number, write }: ServeOptions): PartitionFacts {
  if (facts.state === 'interrupted' || (write && facts.state !== 'ready')) throw stateError(facts.reasons);
  const partition = facts.partitions.find((each) => each.number === number);
  if (partition === undefined) {
    throw usageError('no-such-partition', `there is no partition ${number} on this disk`, {
      hint: `its partitions are ${facts.partitions.map((each) => each.number).join(', ')}`,
    });
  }
  const end = (partition.startLba + partition.sectorCount) * facts.sectorSize;
  if (partition.kind === 'extended' || end > facts.sizeBytes) {
    throw unsupported('cannot-serve', `partition ${number} holds no data of its own, or leaves the disk`);
  }
  return partition;
}

function stateError([reason]: DiskFacts['reasons']) {
  return refusal(reason ?? { code: 'not-readable', message: 'the disk cannot be read' });
}

/** Until it is stopped, or its clients have said goodbye after something was written. False when one has not. */
async function serve(device: BlockDevice, options: ServeOptions, isWritten: () => boolean): Promise<boolean> {
  const { place, write, stop, onServing, onBusy } = options;
  let done: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    done = resolve;
    stop.addEventListener('abort', () => resolve());
  });
  const onIdle = (cleanly: boolean) => {
    if (cleanly && isWritten()) done();
  };
  const how = { writable: write, discards: true, onIdle };
  if ('socket' in place) {
    const { NbdServer } = await loadNbd();
    const server = await NbdServer.listen(device, { ...how, socket: place.socket });
    onServing(place.socket);
    if (!stop.aborted) await over;
    await server.close();
    return server.isClean;
  }
  const { serveAsFile } = await loadServedFile();
  const file = await serveAsFile(device, { ...how, folder: place.mount });
  onServing(file.path);
  const lost = file.over.then(() => true);
  const isLost = !stop.aborted && (await Promise.race([over.then(() => false), lost]));
  await file.close(write ? onBusy : undefined);
  if (isLost) {
    throw deviceError('nbdfuse', 'nbdfuse ended while it was serving', {
      hint: 'nothing was committed, the disk is as it was: begin anew',
    });
  }
  return true;
}

interface Written {
  readonly overlay: Overlay;
  readonly number: number;
  readonly range: ByteRange;
  /** All clients said goodbye. */
  readonly isClean: boolean;
}

/** The run that makes the disk what the session showed. */
async function commit(
  disk: Disk,
  facts: DiskFacts,
  { overlay, number, range, isClean }: Written,
  options: ServeOptions,
  services: Services,
): Promise<Outcome> {
  const began = services.now();
  const bytes = changedBytes(overlay, range);
  await checkUnchanged(disk, facts, options);
  await checkRoom(disk.source, { spillBytes: 0, programBytes: journalBytesFor(bytes) }, 0);
  const made = await sessionPlan(disk, facts, overlay, number, bytes);
  const plan = isClean ? made : { ...made, warnings: [CLIENT_VANISHED, ...made.warnings] };
  if (!(await services.confirm(plan))) {
    throw refused('declined', 'nothing was changed: what was written is dropped');
  }
  const steps = (signal?: AbortSignal) =>
    capturedSteps(overlay, disk.device, range, 'what was written while it was served', signal);
  const served = { number, range, steps };
  const done = await execute(disk, { source: disk.source, facts }, plan, services, { served });
  const fixups = plan.fixups.filter((fixup) => fixup.partition === number);
  return outcome({ plan, before: facts, status: 'done', services, began, ...done, fixups });
}

const CLIENT_VANISHED: Reason = {
  code: 'client-vanished',
  message: 'the last client went away without saying goodbye: what it wrote may be half of something',
  hint: 'check the file system with its own tools before the guest uses it',
};

/** A plan that moves nothing; its promise is what inspect finds on the overlay. */
async function sessionPlan(
  { source }: Disk,
  facts: DiskFacts,
  overlay: Overlay,
  number: number,
  bytes: number,
): Promise<Plan> {
  const shown = await inspectDisk({ source, device: overlay });
  const request = layoutRequest({ command: 'move-extents' });
  const ofFiles = plannedFixups(facts, currentPlaces(facts), facts.sizeBytes);
  const message = `${formatSize(bytes)} were written while it was served`;
  return {
    ...makePlan(facts, request),
    status: 'change',
    after: makePlan(shown, request).before,
    fixups: [{ kind: 'served-writes', partition: number, message }, ...ofFiles],
    warnings: plannedWarnings(facts, request.command),
  };
}

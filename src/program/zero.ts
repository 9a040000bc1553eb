import { GIB } from '../core/units.js';
import type { ZeroArea } from '../plan/types.js';
import type { CompileInput } from './compile-input.js';
import { nonZeroIn } from './look.js';
import { MAX_OPERATIONS } from './move.js';
import type { Operation, Phase } from './types.js';
import { dataIn, unusedRanges } from './unused.js';

/** Bytes cleared between two checkpoints at the most. */
const PHASE_BYTES = GIB;

/**
 * Clears what is unused and not zero. Reads all of it, but no holes. Only bytes that nothing uses change, so the run
 * can be dropped until the descriptor comes back. `cleared` gets the bytes that each area comes to, in their order.
 */
export async function* zeroPhases(
  input: CompileInput,
  areas: readonly ZeroArea[],
  cleared: number[],
): AsyncGenerator<Phase> {
  const { disk, facts, signal, onLook } = input;
  const total = areas.reduce((sum, { bytesToRead }) => sum + (bytesToRead ?? 0), 0);
  let read = 0;
  for (const area of areas) {
    const data = dataIn(disk.device, unusedRanges(disk.device, facts, area));
    const why = `look at ${nameOf(area)}`;
    const onRead = (bytes: number): void => {
      read += bytes;
      onLook?.(why, read, total);
    };
    let bytes = 0;
    const phases = new Packer(`clear ${nameOf(area)}`);
    for await (const { at, length } of nonZeroIn(disk.device, data, onRead, signal)) {
      bytes += length;
      yield* phases.add(at, length);
    }
    yield* phases.finish();
    cleared.push(bytes);
  }
}

const NAMES: Readonly<Record<ZeroArea['kind'], string>> = {
  gaps: 'unallocated space',
  free: 'free space',
  swap: 'swap',
  pagefile: 'page files',
};

/** `free space of partition 2`, `unallocated space`. */
function nameOf({ kind, number }: ZeroArea): string {
  return number === null ? NAMES[kind] : `${NAMES[kind]} of partition ${number}`;
}

/** Packs stretches into phases of bounded length. */
class Packer {
  private operations: Operation[] = [];
  private bytes = 0;

  constructor(private readonly why: string) {}

  *add(at: number, length: number): Generator<Phase> {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, PHASE_BYTES - this.bytes);
      this.operations.push({ op: 'discard', at: at + done, length: part });
      this.bytes += part;
      done += part;
      if (this.bytes >= PHASE_BYTES || this.operations.length >= MAX_OPERATIONS) yield* this.finish();
    }
  }

  *finish(): Generator<Phase> {
    if (this.operations.length > 0) yield { stage: 'gather', why: this.why, operations: this.operations };
    this.operations = [];
    this.bytes = 0;
  }
}

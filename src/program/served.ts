import type { ByteRange } from '../core/range.js';
import type { VolumeStep } from '../formats/types.js';
import { operationsOf } from './resize.js';
import type { Phase } from './types.js';

/** What the programs of an operator wrote to a partition that was served to them. */
export interface ServedWrites {
  readonly number: number;
  /** The partition; the steps are in bytes of the disk too. */
  readonly range: ByteRange;
  steps(signal?: AbortSignal): AsyncGenerator<VolumeStep>;
}

/** The writes as phases that can be repeated: the bytes come from the journal, nothing is read from the disk. */
export async function* servedPhases(
  { number, range, steps }: ServedWrites,
  signal?: AbortSignal,
): AsyncGenerator<Phase> {
  for await (const step of steps(signal)) {
    const operations = operationsOf(step, 0, range);
    yield { stage: 'change', why: `write to partition ${number}: ${step.why}`, operations };
  }
}

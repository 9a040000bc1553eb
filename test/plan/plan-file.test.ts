import { describe, expect, it } from 'vitest';
import { isFamily } from '../../src/core/errors.js';
import { parsePlan } from '../../src/plan/plan-file.js';
import { exampleIn, readDocument } from '../docs/markdown.js';

const SAVED = exampleIn(
  readDocument('docs/plan-format.md'),
  'vmreclaim plan --json /vmfs/volumes/ds1/demo/demo.vmdk',
);

interface Editable {
  disk: { sectorSize: number };
  before: { sizeBytes: number };
  after: { sizeBytes: number; partitions: { number: number; sectorCount: number }[] };
  resizes: { number: number; toBytes: number }[];
}

/** What is said about the plan after somebody edited it; undefined when it is still one. */
function complaint(edit: (plan: Editable) => void): string | undefined {
  const plan = JSON.parse(SAVED) as Editable;
  edit(plan);
  try {
    parsePlan(JSON.stringify(plan));
    return undefined;
  } catch (error) {
    if (isFamily(error, 'usage') && error.code === 'plan-file') return error.message;
    throw error;
  }
}

/** A resize of the first partition to the size that the plan gives it. */
function resizeFirst({ disk, after, resizes }: Editable): void {
  const [{ number, sectorCount } = { number: 0, sectorCount: 0 }] = after.partitions;
  resizes.push({ number, toBytes: sectorCount * disk.sectorSize });
}

describe('a saved plan', () => {
  it('is read back, with resizes that agree with its partitions', () => {
    expect(complaint(() => undefined)).toBeUndefined();
    expect(complaint(resizeFirst)).toBeUndefined();
  });

  it.each<[string, (plan: Editable) => void, RegExp]>([
    ['of no whole number of sectors', ({ after }) => after.sizeBytes++, /after\.sizeBytes: not a number of/],
    ['without a sector size', ({ disk }) => (disk.sectorSize = 0), /before\.sizeBytes: not a number of/],
    [
      'with a partition twice',
      ({ after }) => after.partitions.push(...after.partitions.slice(0, 1)),
      /after\.partitions: two have the same number/,
    ],
    [
      'of a partition that is not there',
      ({ resizes }) => resizes.push({ number: 77, toBytes: 512 }),
      /partition 77/,
    ],
    [
      'that resizes to another size than the partition gets',
      (plan) => {
        resizeFirst(plan);
        for (const resize of plan.resizes) resize.toBytes += 512;
      },
      /resizes\.0\.toBytes: not the size that partition 1 is to have/,
    ],
    [
      'that resizes twice',
      (plan) => {
        resizeFirst(plan);
        resizeFirst(plan);
      },
      /resizes: two are of the same partition/,
    ],
  ])('%s is refused, with the place', (_, edit, message) => {
    expect(complaint(edit)).toMatch(message);
  });
});

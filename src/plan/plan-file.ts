import { z } from 'zod';
import { BOOT_FIXUPS } from '../boot/types.js';
import { usageError } from '../core/errors.js';
import type { Plan } from './types.js';

const count = z.number().int().nonnegative();
const reason = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
const nullable = <T extends z.ZodType>(type: T) => type.nullable();

const identity = z.object({
  sizeBytes: count,
  contentId: nullable(z.string()),
  diskId: nullable(z.string()),
  tableChecksum: count,
});

const target = z.object({
  number: count,
  startLba: count,
  sectorCount: nullable(count),
  ebrLba: nullable(count),
  resizes: z.boolean().optional(),
});

const COMMANDS = ['align', 'move-extents', 'shrink', 'enlarge'] as const;

const freeRule = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('percent'), percent: z.number().min(0).max(99) }),
  z.object({ kind: z.literal('bytes'), bytes: count }),
  z.object({ kind: z.literal('default') }),
  z.object({ kind: z.literal('minimum') }),
]);

const request = z.object({
  command: z.enum(COMMANDS),
  boundaryBytes: count,
  cylinders: z.boolean(),
  doNotAlign: z.array(count),
  // Plans of before there were profiles.
  pinned: z.array(count).default([]),
  only: z.array(count),
  targets: z.array(target),
  grow: z.boolean(),
  diskSizeBytes: nullable(count),
  sizes: z.array(z.object({ number: nullable(count), sizeBytes: count })),
  free: nullable(freeRule),
  dropShadowCopies: z.boolean(),
  scheduleChkdsk: z.boolean(),
  allocate: z.enum(['sparse', 'full']),
  skipBootFixups: z.array(z.enum(BOOT_FIXUPS)),
});

const resize = z.object({ number: count, toBytes: count });

const partition = z.object({
  number: count,
  kind: z.enum(['primary', 'extended', 'logical', 'gpt']),
  type: z.string(),
  startLba: count,
  sectorCount: count,
  ebrLba: nullable(count),
  filesystem: nullable(z.string()),
  label: nullable(z.string()),
  serial: nullable(z.string()),
  usedBytes: nullable(count),
  aligned: z.boolean(),
});

const layout = z.object({ sizeBytes: count, partitions: z.array(partition) });

const numbersOf = (list: readonly { readonly number: number }[]) => list.map(({ number }) => number);
const areDistinct = (numbers: readonly number[]): boolean => new Set(numbers).size === numbers.length;

/** The parts of a plan file that are read back; what else is in it is for people. */
const planShape = z.looseObject({
  formatVersion: z.literal(1),
  disk: z.object({
    path: z.string(),
    createType: z.string(),
    table: z.enum(['mbr', 'gpt', 'none']),
    sectorSize: count,
    identity,
  }),
  request,
  before: layout,
  after: layout,
  resizes: z.array(resize),
  warnings: z.array(reason),
});

/** What one part says of another. What it says of the disk is compared with the disk. */
const planFile = planShape.superRefine(({ before, after, resizes, disk }, context) => {
  const sides = { before, after };
  const complain = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  for (const side of ['before', 'after'] as const) {
    const { partitions, sizeBytes } = sides[side];
    if (!areDistinct(numbersOf(partitions))) complain([side, 'partitions'], 'two have the same number');
    if (disk.sectorSize === 0 || sizeBytes % disk.sectorSize !== 0) {
      complain([side, 'sizeBytes'], `not a number of whole sectors of ${disk.sectorSize} bytes`);
    }
  }
  if (!areDistinct(numbersOf(resizes))) complain(['resizes'], 'two are of the same partition');
  for (const [index, { number, toBytes }] of resizes.entries()) {
    const partition = after.partitions.find((each) => each.number === number);
    const sizeBytes = (partition?.sectorCount ?? 0) * disk.sectorSize;
    if (toBytes !== sizeBytes) {
      complain(['resizes', index, 'toBytes'], `not the size that partition ${number} is to have`);
    }
  }
});

/** A saved plan. Usage (plan-file) with the place of the first thing that is wrong. */
export function parsePlan(text: string): Plan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError('plan-file', 'the plan file is not JSON', { cause: error });
  }
  const parsed = planFile.safeParse(value);
  if (parsed.success) return parsed.data as unknown as Plan;
  const [issue] = parsed.error.issues;
  throw usageError(
    'plan-file',
    `the plan file is not a plan: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    {
      hint: 'save one with: vmreclaim plan DISK --json -o FILE',
    },
  );
}

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

/** The parts of a plan file that are read back; what else is in it is for people. */
const planFile = z.looseObject({
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

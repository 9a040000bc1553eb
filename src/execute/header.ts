import { z } from 'zod';
import { damaged } from '../core/errors.js';
import { MIB } from '../core/units.js';
import { SAFETY_COPY } from './safety-copy.js';
import type { RunHeader } from './types.js';

/** A window is a few MiB. A header that claims more must not make the runner allocate it. */
const MAX_SPILL_BYTES = 64 * MIB;

const count = z.number().int().nonnegative();
const text = z.string();

const runHeader = z.looseObject({
  formatVersion: z.literal(1),
  runId: text,
  version: text,
  startedAt: text,
  disk: text,
  extents: z.array(z.object({ path: text, sizeBytes: count, inode: text })),
  plan: z.looseObject({}),
  facts: z.looseObject({}),
  stamps: z.array(z.object({ number: count, crc: count })).optional(),
  fixups: z.array(z.looseObject({})),
  warnings: z.array(z.looseObject({ code: text, message: text })),
  totals: z.object({
    phases: count,
    bytesToCopy: count,
    bytesToDiscard: count,
    spillBytes: count.max(MAX_SPILL_BYTES),
    sharedBytes: count.default(0),
  }),
  safetyCopy: z
    .array(
      z.object({
        role: z.enum(['extent', 'descriptor', 'change-tracking', 'vmx']),
        file: text.min(1),
        // It is opened and removed: never a name that leads elsewhere.
        copy: text.regex(SAFETY_COPY),
        sizeBytes: count,
        inode: text,
      }),
    )
    .optional(),
});

/** The header in the bytes of `run.json`. Damaged (code journal) when it is none, or one of another version. */
export function parseHeader(bytes: Uint8Array, path: string): RunHeader {
  const parsed = runHeader.safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data as unknown as RunHeader;
  const [issue] = parsed.error.issues;
  throw damaged('journal', 'the run journal is damaged or of another version', {
    path,
    actual: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    hint: 'keep the disk and the folder as they are, and report this; or put a backup back and drop the run',
  });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

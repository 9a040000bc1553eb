import { z } from 'zod';
import { MIB } from '../core/units.js';
import { SAFETY_COPY } from './safety-copy.js';

// What the files of a run must look like when they are read back. Loaded only then: the validator takes as long to load as
// the program that changes a disk.

/** A window is a few MiB. A header that claims more must not make the runner allocate it. */
const MAX_SPILL_BYTES = 64 * MIB;
/** Texts of a pointer come from a server and end up in messages. */
const MAX_TEXT = 1024;

const count = z.number().int().nonnegative();
const text = z.string();
const shortText = text.max(MAX_TEXT);

export const runHeader = z.looseObject({
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

export const pointer = z.looseObject({
  formatVersion: z.literal(1),
  journalElsewhere: z.literal(true),
  runId: shortText,
  startedAt: shortText,
  client: z.object({ id: shortText, host: shortText }),
  disk: shortText,
});

export const shiftRecord = z.object({
  phase: count,
  shift: z.object({ from: count, to: count, length: count }),
  map: z.object({ sizeBytes: count, extents: z.array(z.tuple([count, count, count])) }).nullable(),
  copiedBytes: count,
});

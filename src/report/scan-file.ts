import { z } from 'zod';
import { usageError } from '../core/errors.js';
import type { ScanDocument } from './scan-json.js';

const count = z.number().int().nonnegative();
const text = z.string().max(65_536);
/** As many as a GPT that is read can have. */
const MAX_PARTITIONS = 1024;
const reason = z.looseObject({ code: text, message: text });

const filesystem = z.looseObject({
  kind: text,
  label: text.nullable(),
  clusterBytes: count.nullable(),
  totalBytes: count.nullable(),
  usedBytes: count.nullable(),
  freeBytes: count.nullable(),
  minimumBytes: count.nullable(),
  // Not in scans of the first builds: then nothing is recommended that may not be possible.
  canShrink: z.boolean().default(false),
  canEnlarge: z.boolean().default(false),
  state: text,
});

const partition = z.looseObject({
  number: count,
  kind: z.enum(['primary', 'extended', 'logical', 'gpt']),
  type: text,
  startLba: count,
  sectorCount: count,
  startBytes: count,
  sizeBytes: count,
  aligned: z.boolean(),
  filesystem: filesystem.nullable(),
});

const disk = z.looseObject({
  path: text,
  createType: text,
  sizeBytes: count,
  allocatedBytes: count.nullable(),
  sectorSize: count.min(1),
  table: z.enum(['mbr', 'gpt', 'none']),
  vm: z.looseObject({ name: text, guestOs: text.nullable(), path: text }).nullable(),
  guest: z
    .looseObject({ os: z.enum(['windows', 'linux']), name: text.nullable() })
    .nullable()
    .default(null),
  bootFixups: z
    .array(
      z.looseObject({ kind: text, partition: count.nullable(), message: text, obstacle: reason.nullable() }),
    )
    .default([]),
  state: z.enum(['ready', 'refused', 'damaged', 'interrupted']),
  reasons: z.array(reason),
  partitions: z.array(partition).max(MAX_PARTITIONS),
  reclaimableBytes: count,
});

const datastore = z.looseObject({
  name: text,
  path: text,
  type: text.nullable(),
  capacityBytes: count,
  usedBytes: count,
  freeBytes: count,
  disks: count,
});

/** The parts of a scan that a report is made of; what else is in it may come from a newer version. */
const scanFile = z.looseObject({
  formatVersion: z.literal(1),
  disks: z.array(disk),
  datastores: z.array(datastore),
  errors: z.array(z.looseObject({ path: text, code: text, message: text })),
});

/** A saved scan. Usage (scan-file) with the place of the first thing that is wrong. */
export function parseScan(json: string): ScanDocument {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw usageError('scan-file', 'the scan is not JSON', { cause: error, hint: HINT });
  }
  const parsed = scanFile.safeParse(value);
  if (parsed.success) return parsed.data as unknown as ScanDocument;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw usageError('scan-file', `this is not the JSON of a scan: ${where}: ${issue?.message ?? ''}`, {
    hint: HINT,
  });
}

const HINT = 'save one with: vmreclaim scan --json -o FILE TARGET';

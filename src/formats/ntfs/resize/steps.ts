import type { ByteRange } from '../../../core/range.js';
import { KIB, MIB } from '../../../core/units.js';
import type { MetadataWrite, VolumeCopy, VolumeStep } from '../../types.js';

/** Bytes that one step copies at the most: what a crash costs. */
const COPY_STEP_BYTES = 64 * MIB;
/** Operations in one step, and bytes of metadata: bounds memory. A step is held about five times while it is recorded. */
const STEP_OPERATIONS = 4 * KIB;
const WRITE_STEP_BYTES = 512 * KIB;
/** Writes that continue each other become one of at most this size, so that journal and overlay hold few of them. */
const JOINED_WRITE_BYTES = 256 * KIB;

type Stage = VolumeStep['stage'];

/** A step that copies. */
export const copyStep = (stage: Stage, why: string, copies: readonly VolumeCopy[]): VolumeStep => ({
  stage,
  why,
  copies,
  writes: [],
  discards: [],
});

/** A step that writes metadata. */
export const writeStep = (why: string, writes: readonly MetadataWrite[]): VolumeStep => ({
  stage: 'change',
  why,
  copies: [],
  writes,
  discards: [],
});

/** A step that zeros. */
export const discardStep = (stage: Stage, why: string, discards: readonly ByteRange[]): VolumeStep => ({
  stage,
  why,
  copies: [],
  writes: [],
  discards,
});

/** Writes that continue each other on the volume. */
interface WriteRun {
  readonly at: number;
  readonly parts: Uint8Array[];
  length: number;
}

/** Collects writes until they are enough for a step; those that continue each other become one. */
export class WriteBatch {
  private runs: WriteRun[] = [];
  private bytes = 0;

  constructor(
    private readonly why: string,
    /** What is written, for each write. */
    private readonly what: string,
  ) {}

  add(writes: readonly MetadataWrite[]): void {
    for (const { at, bytes } of writes) {
      this.bytes += bytes.length;
      const last = this.runs.at(-1);
      const joins =
        last !== undefined &&
        last.at + last.length === at &&
        last.length + bytes.length <= JOINED_WRITE_BYTES;
      if (!joins) {
        this.runs.push({ at, parts: [bytes], length: bytes.length });
        continue;
      }
      last.parts.push(bytes);
      last.length += bytes.length;
    }
  }

  get isFull(): boolean {
    return this.bytes >= WRITE_STEP_BYTES || this.runs.length >= STEP_OPERATIONS;
  }

  /** The collected writes as steps: one, or none. */
  *take(): Generator<VolumeStep> {
    const writes = this.runs.map((run) => ({ at: run.at, bytes: joinParts(run), why: this.what }));
    this.runs = [];
    this.bytes = 0;
    if (writes.length > 0) yield writeStep(this.why, writes);
  }
}

function joinParts({ parts, length }: WriteRun): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Cuts copies into steps of bounded size, joining those that continue each other at both ends. */
export function* copySteps(stage: Stage, why: string, copies: Iterable<VolumeCopy>): Generator<VolumeStep> {
  let step: VolumeCopy[] = [];
  let bytes = 0;
  for (const copy of cutCopies(joinCopies(copies))) {
    if (step.length >= STEP_OPERATIONS || bytes + copy.length > COPY_STEP_BYTES) {
      yield copyStep(stage, why, step);
      step = [];
      bytes = 0;
    }
    step.push(copy);
    bytes += copy.length;
  }
  if (step.length > 0) yield copyStep(stage, why, step);
}

function* joinCopies(copies: Iterable<VolumeCopy>): Generator<VolumeCopy> {
  let last: VolumeCopy | undefined;
  for (const copy of copies) {
    if (last !== undefined && continues(last, copy)) {
      last = { ...last, length: last.length + copy.length };
      continue;
    }
    if (last !== undefined) yield last;
    last = copy;
  }
  if (last !== undefined) yield last;
}

const continues = (a: VolumeCopy, b: VolumeCopy): boolean =>
  a.from + a.length === b.from && a.to + a.length === b.to;

function* cutCopies(copies: Iterable<VolumeCopy>): Generator<VolumeCopy> {
  for (const { from, to, length } of copies) {
    for (let done = 0; done < length; done += COPY_STEP_BYTES) {
      yield { from: from + done, to: to + done, length: Math.min(COPY_STEP_BYTES, length - done) };
    }
  }
}

import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { internalError } from '../../../../src/core/errors.js';
import type { VolumeResize, VolumeStep } from '../../../../src/formats/types.js';
import { checkLaws } from '../../../../src/program/laws.js';
import type { Operation } from '../../../../src/program/types.js';
import { run } from '../../../support/judges.js';
import type { Scratch } from '../volumes.js';

const PIECE = 1 << 20;

/** The step as a phase of a program, checked against its laws. */
export function checkStep(step: VolumeStep): void {
  const operations: Operation[] = [
    ...step.copies.map((copy) => ({ op: 'copy' as const, ...copy })),
    ...step.writes.map(({ at, bytes }) => ({ op: 'write' as const, at, bytes })),
    ...step.discards.map((range) => ({ op: 'discard' as const, ...range })),
  ];
  if (operations.length === 0) throw internalError('law', `step "${step.why}" is empty`);
  checkLaws({ stage: 'change', why: step.why, operations });
}

/** All steps of a resize, each checked. */
export async function collect(resize: VolumeResize): Promise<VolumeStep[]> {
  const steps: VolumeStep[] = [];
  for await (const step of resize.steps()) {
    checkStep(step);
    steps.push(step);
  }
  return steps;
}

/** Applies one step to a file; `order` turns the operations around, `until` stops after so many of them. */
export function applyStep(
  path: string,
  step: VolumeStep,
  reverse = false,
  until = Number.POSITIVE_INFINITY,
): void {
  const handle = openSync(path, 'r+');
  const tasks = [
    ...step.copies.map((copy) => () => copyInside(handle, copy)),
    ...step.writes.map((write) => () => void writeSync(handle, write.bytes, 0, write.bytes.length, write.at)),
    ...step.discards.map((range) => () => zero(handle, range)),
  ];
  if (reverse) tasks.reverse();
  for (const task of tasks.slice(0, until)) task();
  fsyncSync(handle);
  closeSync(handle);
}

function copyInside(
  handle: number,
  { from, to, length }: { from: number; to: number; length: number },
): void {
  const buffer = new Uint8Array(Math.min(PIECE, length));
  for (let done = 0; done < length; done += PIECE) {
    const part = Math.min(PIECE, length - done);
    if (readSync(handle, buffer, 0, part, from + done) !== part) throw new Error('short read');
    writeSync(handle, buffer, 0, part, to + done);
  }
}

function zero(handle: number, { at, length }: { at: number; length: number }): void {
  const size = fstatSync(handle).size;
  if (at + length === size) {
    ftruncateSync(handle, at);
    ftruncateSync(handle, size);
    return;
  }
  const zeros = new Uint8Array(PIECE);
  for (let done = 0; done < length; done += PIECE) {
    writeSync(handle, zeros, 0, Math.min(PIECE, length - done), at + done);
  }
}

/** Copies a sparse file. */
export function copySparse(from: string, to: string): string {
  run('cp', ['--sparse=always', from, to]);
  return to;
}

/** What outside tools say about a volume that fills its file: their own accounting, mirror, backup, mount. */
export function judgeVolume(path: string): void {
  accountClusters(path);
  const text = run('ntfsfix', ['-n', path]);
  if (!text.includes('processed successfully') || /FAILED|differ|corrupt|error/i.test(text)) {
    throw new Error(`ntfsfix: ${text}`);
  }
  run('ntfs-3g.probe', ['--readwrite', path]);
}

/** ntfsresize counts clusters first; that a volume at its minimum is full is what it should be. */
function accountClusters(path: string): void {
  try {
    run('ntfsresize', ['--info', '--force', '--no-progress-bar', path]);
  } catch (error) {
    if (!(error instanceof Error) || !/Accounting clusters[\s\S]*Volume is full/.test(error.message))
      throw error;
  }
}

const HASHES = `
  mkdir -p "$2"
  ntfs-3g "$1" "$2" -o ro,no_detach,streams_interface=windows,show_sys_files,noatime 2>/dev/null &
  driver=$!
  trap 'umount "$2" && wait $driver' EXIT
  for round in $(seq 1 200); do mountpoint -q "$2" && break; sleep 0.05; done
  mountpoint -q "$2"
  (
    trap - EXIT
    cd "$2"
    find . -mindepth 1 -printf '%y %n %p\\n' | grep -v -e '/\\$' | LC_ALL=C sort
    find . -type f -not -name '$*' -not -path './$*' -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
    cat '$Secure:$SDS' | sha256sum
    cat '$UpCase' | sha256sum
    getfattr -R -e text -n ntfs.streams.list . 2>/dev/null | awk '
      /^# file: / { file = substr($0, 9) }
      /^ntfs.streams.list="./ {
        count = split(substr($0, 20, length($0) - 20), names, "\\\\\\\\000")
        for (i = 1; i <= count; i++) if (file != "$BadClus") print file ":" names[i]
      }' | LC_ALL=C sort -u | while IFS= read -r stream; do
        printf '%s ' "$stream"; sha256sum < "$stream" 2>/dev/null || echo unreadable
      done
  )
`;

/** Names, links, and the hash of every file and named stream. ntfs-3g lists a stream once for each of its pieces. */
export function hashTree(scratch: Scratch, path: string): string {
  return run('timeout', ['100', 'bash', '-euc', HASHES, 'hashes', path, scratch.path('hashed')]);
}

/** Cuts or lengthens the file to the partition's size. */
export const trim = (path: string, sizeBytes: number): void => truncateSync(path, sizeBytes);

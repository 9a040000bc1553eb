import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { descriptorText, type VmFolder } from '../disk/vm-folder.js';
import { bootRecord, type TestEntry } from '../formats/mbr/table-bytes.js';

export const BIN = fileURLToPath(new URL('../../bin/vmreclaim.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment variables that change what is printed: none of them comes from whoever runs the tests. */
const NEUTRAL = { NO_COLOR: undefined, FORCE_COLOR: undefined, LC_ALL: 'C.UTF-8', TERM: 'xterm' };

interface CliOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** File descriptors or `pipe` in place of stdout and stderr. */
  readonly stdio?: readonly ['pipe' | number, 'pipe' | number];
}

/** Runs the real command line as a process of its own, without a terminal. */
export function vmreclaim(args: readonly string[], options: CliOptions = {}): Ended {
  const [out, err] = options.stdio ?? ['pipe', 'pipe'];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...NEUTRAL, ...options.env },
    input: options.input ?? '',
    stdio: ['pipe', out, err],
  });
  if (error) throw error;
  return { code: status, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Runs a line of shell in which `$V` is the command line. */
export function shell(line: string, env: NodeJS.ProcessEnv = {}): Ended {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${line}`], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...NEUTRAL, ...env, V: `${process.execPath} ${BIN}` },
  });
  return { code: status, stdout, stderr };
}

const SECTOR = 512;
const DISK_SECTORS = 16_384;

/** Two misaligned partitions that nothing recognises, 2 MiB and 1 MiB, with room behind them. */
const ENTRIES: readonly TestEntry[] = [
  { slot: 1, type: 0x83, start: 63, count: 4096 },
  { slot: 3, type: 0x83, start: 5001, count: 2048 },
];

/** `NAME.vmdk` with an MBR in `NAME-flat.vmdk` of 8 MiB; returns the path of the descriptor. */
export function mbrDisk(folder: VmFolder, name: string, entries: readonly TestEntry[] = ENTRIES): string {
  const flat = folder.image(`${name}-flat.vmdk`, DISK_SECTORS * SECTOR);
  const file = openSync(flat, 'r+');
  writeSync(file, bootRecord(entries, 0xc0ffee), 0, SECTOR, 0);
  for (const { start, count } of entries) {
    writeSync(file, new Uint8Array(5000).fill(start % 251), 0, 5000, start * SECTOR);
    writeSync(file, new Uint8Array(SECTOR).fill(0x5a), 0, SECTOR, (start + count - 1) * SECTOR);
  }
  closeSync(file);
  const extents = [`RW ${DISK_SECTORS} FLAT "${name}-flat.vmdk" 0`];
  return folder.text(`${name}.vmdk`, descriptorText({ createType: 'monolithicFlat', extents }));
}

/** Control characters but line ends, C1 and bidi marks: nothing of it may reach a terminal from outside. */
export const UNSAFE = /(?!\n)[\p{Control}\p{Bidi_Control}]/u;

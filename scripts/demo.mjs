// Aligns and shrinks the demo disk in a temporary folder, with the real command line. Needs no root and no tool.
// `--keep` leaves the folder behind.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { createGunzip } from 'node:zlib';

const FIXTURE = fileURLToPath(new URL('../fixtures/demo/', import.meta.url));
const CLI = fileURLToPath(new URL('../bin/vmreclaim.js', import.meta.url));
/** Stretches of zeros become holes, so that the disk takes a fifth of its size. */
const HOLE_BYTES = 64 * 1024;

const STEPS = [
  {
    say: 'A disk as Windows XP and Server 2003 laid it out, with NTFS at LBA 63. Every cluster lies across two blocks of the storage below. What is on it?',
    args: ['scan', 'demo.vmdk'],
  },
  {
    say: 'What would be done about it? The plan only reads.',
    args: ['plan', 'demo.vmdk'],
  },
  {
    say: 'Do it: in place, rehearsed first, with a journal from which any crash can be resumed.',
    // The plan was shown above: --quiet keeps it from being shown twice.
    args: ['align', '--yes', '--quiet', 'demo.vmdk'],
  },
  {
    say: 'And now? With --check the exit code says whether anything is left to do.',
    args: ['scan', '--check', 'demo.vmdk'],
  },
  {
    say: 'The disk is far too large as well: shrink the NTFS volume, pack the partitions, cut the disk.',
    args: ['shrink', '--yes', '--quiet', '--size', '1=24M', 'demo.vmdk'],
  },
];

const colored = wantsColor();
const strong = (text) => (colored ? styleText(['bold', 'cyan'], text) : text);
const dim = (text) => (colored ? styleText('dim', text) : text);

function wantsColor() {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return process.stdout.isTTY === true;
}

/** Writes the disk beside its descriptor, zeros as holes. */
async function unpack(folder) {
  copyFileSync(join(FIXTURE, 'demo.vmdk'), join(folder, 'demo.vmdk'));
  const zeros = Buffer.alloc(HOLE_BYTES);
  const file = openSync(join(folder, 'demo-flat.vmdk'), 'wx');
  const write = async (chunks) => {
    let at = 0;
    for await (const chunk of chunks) {
      if (!chunk.equals(zeros.subarray(0, chunk.length))) writeSync(file, chunk, 0, chunk.length, at);
      at += chunk.length;
    }
    ftruncateSync(file, at);
  };
  try {
    const packed = createReadStream(join(FIXTURE, 'demo-flat.vmdk.gz'));
    await pipeline(packed, createGunzip({ chunkSize: HOLE_BYTES }), write);
  } finally {
    closeSync(file);
  }
}

/** Words in lines of at most `width` characters, each behind a mark. */
function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line !== '' && line.length + 1 + word.length > width - 2) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => `# ${line}`).join('\n');
}

function runStep(folder, { say, args }) {
  console.log(dim(wrap(say, Math.min(process.stdout.columns ?? 80, 100))));
  console.log(`${strong(`$ vmreclaim ${args.join(' ')}`)}\n`);
  // The demo leaves nothing behind, not even in the history.
  const state = { VMRECLAIM_STATE_DIR: join(folder, 'state') };
  const env = { ...process.env, ...state, ...(colored ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }) };
  // Node warns when both are set.
  delete env[colored ? 'NO_COLOR' : 'FORCE_COLOR'];
  // The streams are inherited, and with them the width of the terminal.
  const { status, signal, error } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: folder,
    env,
    stdio: 'inherit',
  });
  console.log();
  if (status === 0) return true;
  console.error(
    `the demo failed: vmreclaim ${args.join(' ')} ended with ${error?.message ?? signal ?? status}`,
  );
  return false;
}

const keep = process.argv.includes('--keep');
const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-demo-'));
// Ctrl-C ends the step under way; what was unpacked still has to go.
process.on('SIGINT', () => undefined);
try {
  await unpack(folder);
  if (!STEPS.every((step) => runStep(folder, step))) process.exitCode = 1;
} finally {
  if (!keep) rmSync(folder, { recursive: true, force: true });
}
console.log(`The disk ${keep ? 'is in' : 'was in'} ${folder}`);
console.log(
  keep ? 'Remove the folder when you are done.' : 'It is removed; npm run demo -- --keep leaves it.',
);

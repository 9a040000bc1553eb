import { spawnSync } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { MIB } from '../../src/core/units.js';

const MODULE = new URL('../../dist/cli/peak-memory.js', import.meta.url).href;
const LARGE_BYTES = 400 * MIB;

let ballast: Buffer | undefined = Buffer.alloc(0);
afterEach(() => {
  ballast = undefined;
});

/** Peak memory that a fresh process tells of itself after it has filled `bytes`. */
function peakOfChild(bytes: number): number {
  const script = `
    import { peakMemoryBytes } from ${JSON.stringify(MODULE)};
    const held = Buffer.alloc(${bytes}, 1);
    console.log(peakMemoryBytes(), held.length);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return Number.parseInt(stdout, 10);
}

it.skipIf(process.platform !== 'linux')(
  'counts the memory of this process, not of the one that started it',
  () => {
    ballast = Buffer.alloc(LARGE_BYTES, 1);
    expect(peakOfChild(0)).toBeLessThan(ballast.length / 2);
  },
);

it('counts what was held at once', () => {
  expect(peakOfChild(LARGE_BYTES)).toBeGreaterThan(LARGE_BYTES);
});

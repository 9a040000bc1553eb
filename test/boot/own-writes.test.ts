import { describe, expect, it } from 'vitest';
import { eachByteOnce } from '../../src/boot/own-writes.js';
import type { BootSite, BootWrite } from '../../src/boot/types.js';

const site = (kind: BootSite['kind'], title: string): BootSite => ({
  kind,
  title,
  partition: 1,
  holds: null,
  holdsSectors: false,
  safe: null,
  obstacle: null,
  writesTo: 'volume',
  edit: async () => ({ writes: [], message: '' }),
});
const registry = site('mounted-devices', 'MountedDevices of Windows');
const store = site('bcd', 'boot configuration (BCD)');
const write = (at: number, bytes: readonly number[], partition: number | null = 1): BootWrite => ({
  at,
  bytes: Uint8Array.from(bytes),
  partition,
  why: 'test',
});

describe('writes of several sites', () => {
  it('are made once where they are the same, also in another order', () => {
    const twice = [write(8, [1, 2]), write(0, [3]), write(8, [1, 2]), write(8, [9], 2), write(8, [9], null)];
    const once = eachByteOnce(twice.map((each) => ({ site: registry, write: each })));
    expect(once.map(({ partition, at }) => [partition, at])).toEqual([
      [null, 8],
      [1, 0],
      [1, 8],
      [2, 8],
    ]);
  });

  it.each([
    ['other bytes', write(8, [1, 2]), write(8, [1, 3])],
    ['a part of them', write(8, [1, 2]), write(9, [2])],
    ['more of them', write(8, [1, 2]), write(8, [1, 2, 3])],
  ])('are damage where they want %s in one place', (_, a, b) => {
    const failing = () =>
      eachByteOnce([
        { site: registry, write: a },
        { site: store, write: b },
      ]);
    expect(failing).toThrow(
      expect.objectContaining({
        family: 'damaged',
        code: 'boot-bytes-shared',
        message: expect.stringContaining(
          'it and MountedDevices of Windows are stored in the same bytes of partition 1',
        ),
        detail: expect.objectContaining({ hint: expect.stringContaining('--skip-boot-fixups bcd') }),
      }),
    );
  });
});

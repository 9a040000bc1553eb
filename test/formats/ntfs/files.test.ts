import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ntfsFiles } from '../../../src/formats/ntfs/files.js';
import type { FileFinder, VolumeFile as FoundFile } from '../../../src/formats/volume-file.js';
import { differences } from '../../support/hives.js';
import { rootJudge, run } from '../../support/judges.js';
import { inMount } from '../../support/mounts.js';
import { Scratch, VolumeBytes } from './volumes.js';

const FRAGMENTS = 6;

/** Two files grow in turns, so that neither stays in one piece. */
const CONTENT = `
  mkdir -p Windows/System32/config boot/many
  for i in $(seq 1 300); do : > "boot/many/name-$i"; done
  printf 'small and resident' > Windows/System32/config/TINY
  for i in $(seq 1 ${FRAGMENTS}); do
    head -c 4096 /dev/zero | tr '\\0' "$i" >> Windows/System32/config/SYSTEM; sync
    head -c 4096 /dev/zero | tr '\\0' x >> other; sync
  done
  printf 'tail' >> Windows/System32/config/SYSTEM
  printf 'umlauts' > 'Größe ŞÇ'
  mkdir packed; setfattr -n system.ntfs_attrib_be -v 0x00000810 packed; head -c 100000 /dev/zero > packed/file
  truncate -s 1M holed; printf end >> holed
  ln -s Windows/System32/config/TINY link
  : > empty
`;
/** A directory that a filter of Windows keeps elsewhere. */
const REPARSE = `setfattr -h -n system.ntfs_reparse_data -v 0x170000800400000000000000 away`;

describe.skipIf(!rootJudge('mkntfs', 'ntfs-3g', 'ntfsfix', 'setfattr'))('files of an NTFS volume', () => {
  const scratch = new Scratch();
  afterAll(() => scratch.remove());
  let path = '';
  let bytes: Uint8Array;
  let files: FileFinder;

  beforeAll(async () => {
    path = scratch.empty('volume', 24 << 20);
    run('mkntfs', ['-q', '-F', '-f', '-c', '4096', '-p', '63', '-H', '255', '-S', '63', path]);
    inMount('ntfs', path, 'rw', `${CONTENT} mkdir away; ${REPARSE}`);
    bytes = Uint8Array.from(readFileSync(path));
    files = await ntfsFiles(new VolumeBytes(bytes));
  });

  const find = async (...names: string[]): Promise<FoundFile> => {
    const found = await files.find(names);
    if (found === undefined) throw new Error(`${names.join('/')} is not found`);
    return found;
  };

  /** Patches the volume and returns what the NTFS driver reads then. */
  function patched(file: FoundFile, at: number, text: string, name: string): Buffer {
    const copy = Uint8Array.from(bytes);
    for (const write of file.patch([{ at, bytes: Buffer.from(text) }], 'test'))
      copy.set(write.bytes, write.at);
    const changed = scratch.path('changed');
    writeFileSync(changed, copy);
    expect(run('ntfsfix', ['-n', changed])).toContain('processed successfully');
    const hex = inMount('ntfs', changed, 'ro', `xxd -p "${name}" | tr -d '\\n'`);
    return Buffer.from(hex.trim(), 'hex');
  }

  it('are found in any case, by the table of the volume itself', async () => {
    const file = await find('WINDOWS', 'system32', 'Config', 'system');
    expect(file.sizeBytes).toBe(FRAGMENTS * 4096 + 4);
    const text = await find('GRÖßE şç');
    expect(Buffer.from(await text.readAt(0, text.sizeBytes)).toString()).toBe('umlauts');
    expect((await find('Boot', 'MANY', 'NAME-299')).sizeBytes).toBe(0);
    expect(await files.find(['Windows', 'nothing', 'config'])).toBeUndefined();
    expect(await files.find(['Windows', 'System32'])).toBeUndefined();
    expect(await files.find(['other', 'below'])).toBeUndefined();
  });

  it('are read whole when they lie in pieces, and patched across a boundary', async () => {
    const file = await find('Windows', 'System32', 'config', 'SYSTEM');
    const whole = Buffer.from(
      inMount('ntfs', path, 'ro', 'xxd -p Windows/System32/config/SYSTEM').replaceAll('\n', ''),
      'hex',
    );
    expect(Buffer.from(await file.readAt(0, file.sizeBytes))).toEqual(whole);
    expect(file.places(0, file.sizeBytes).length).toBeGreaterThan(2);
    const at = 4096 * 3 - 3;
    whole.write('PATCHED', at);
    expect(patched(file, at, 'PATCHED', 'Windows/System32/config/SYSTEM')).toEqual(whole);
    expect(differences(path, scratch.path('changed'))).toHaveLength(7);
  });

  it('are patched inside their FILE record when they are that small', async () => {
    const file = await find('Windows', 'System32', 'config', 'TINY');
    expect(() => file.places(0, 4)).toThrow();
    const now = patched(file, 10, 'RESIDENT', 'Windows/System32/config/TINY');
    expect(now.toString()).toBe('small and RESIDENT');
  });

  it('are refused where they are stored otherwise', async () => {
    const packed = await find('packed', 'file');
    await expect(packed.readAt(0, 10)).rejects.toMatchObject({ family: 'unsupported' });
    expect(() => packed.patch([{ at: 0, bytes: new Uint8Array(1) }], 'test')).toThrow(/compressed/);
    const holed = await find('holed');
    expect(() => holed.patch([{ at: 4096, bytes: new Uint8Array(1) }], 'test')).toThrow(/no clusters/);
    expect(() => holed.patch([{ at: 1 << 21, bytes: new Uint8Array(1) }], 'test')).toThrow();
    await expect(files.find(['away', 'file'])).rejects.toMatchObject({ code: 'ntfs-reparse-point' });
  });
});

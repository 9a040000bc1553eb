import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { detectGuest } from '../../src/boot/guest.js';
import { windowReader } from '../../src/device/window.js';
import { buildHive, type TestKey, type TestValue } from '../support/hives.js';
import { judge, rootJudge, run } from '../support/judges.js';
import { inMount } from '../support/mounts.js';
import { bytesReader, patchedReader, withFile } from '../support/reader.js';

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-guest-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (name: string, value: string): TestValue => ({
  name,
  type: 1,
  data: Buffer.from(`${value}\0`, 'utf16le'),
});
const dword = (name: string, value: number): TestValue => {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value);
  return { name, type: 4, data };
};
const software = (values: readonly TestValue[]): TestKey => ({
  name: 'ROOT',
  keys: [{ name: 'Microsoft', keys: [{ name: 'Windows NT', keys: [{ name: 'CurrentVersion', values }] }] }],
});

function windowsVolume(name: string, path: string, values: readonly TestValue[]): string {
  const volume = join(folder, name);
  writeFileSync(volume, '');
  truncateSync(volume, 16 << 20);
  run('mkntfs', ['-q', '-F', '-f', '-p', '63', '-H', '255', '-S', '63', volume]);
  writeFileSync(join(folder, 'SOFTWARE'), buildHive(software(values)));
  inMount('ntfs', volume, 'rw', `mkdir -p "$(dirname ${path})"; cp ${join(folder, 'SOFTWARE')} ${path}`);
  return volume;
}

function linuxVolume(release: string | null): string {
  const content = mkdtempSync(join(folder, 'content-'));
  mkdirSync(join(content, 'usr', 'lib'), { recursive: true });
  mkdirSync(join(content, 'etc'));
  if (release !== null) {
    writeFileSync(join(content, 'usr', 'lib', 'os-release'), release);
    symlinkSync('../usr/lib/os-release', join(content, 'etc', 'os-release'));
  }
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', content, `${content}.img`, '16M']);
  return `${content}.img`;
}

const guestOf = (filesystem: string, path: string) =>
  withFile(path, (volume) => detectGuest([{ number: 3, filesystem, volume }]));

describe.skipIf(!rootJudge('mkntfs', 'ntfs-3g'))('a Windows guest', () => {
  const SOFTWARE = 'Windows/System32/config/SOFTWARE';

  it.each([
    [
      'Windows 11, which says that it is 10',
      SOFTWARE,
      [
        text('ProductName', 'Windows 10 Pro'),
        text('CurrentVersion', '6.3'),
        text('CurrentBuildNumber', '22631'),
        dword('CurrentMajorVersionNumber', 10),
        dword('CurrentMinorVersionNumber', 0),
      ],
      { name: 'Windows 11 Pro', version: '10.0.22631' },
    ],
    [
      'Windows 7',
      SOFTWARE,
      [
        text('ProductName', 'Windows 7 Ultimate'),
        text('CurrentVersion', '6.1'),
        text('CurrentBuild', '7601'),
      ],
      { name: 'Windows 7 Ultimate', version: '6.1.7601' },
    ],
    [
      'Windows 2000',
      'WINNT/system32/config/software',
      [text('CurrentVersion', '5.0')],
      { name: null, version: '5.0' },
    ],
    [
      'one that hides control characters',
      SOFTWARE,
      [text('ProductName', 'a\u001b[31mb')],
      { name: 'ab', version: null },
    ],
  ])('%s', async (name, path, values, wanted) => {
    const found = await guestOf('ntfs', windowsVolume(name.replaceAll(' ', '-'), path, values));
    expect(found).toEqual({
      os: 'windows',
      partition: 3,
      ...wanted,
    });
  });

  it('whose hive makes no sense is none, and fails nothing', async () => {
    const path = windowsVolume('broken', SOFTWARE, [text('ProductName', 'x')]);
    await withFile(path, async (volume) => {
      const bytes = Buffer.from(await volume.readAt(0, volume.sizeBytes));
      for (let at = bytes.indexOf('regf'); at >= 0; at = bytes.indexOf('regf', at + 1)) {
        const broken = patchedReader(volume, at + 0x24, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
        expect(await detectGuest([{ number: 1, filesystem: 'ntfs', volume: broken }])).toBeNull();
      }
    });
  });
});

describe.skipIf(!judge('mke2fs'))('a Linux guest', () => {
  it('tells what it is, by its name for people and its version', async () => {
    const release = 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID=12\n';
    expect(await guestOf('ext4', linuxVolume(release))).toEqual({
      os: 'linux',
      name: 'Debian GNU/Linux 12 (bookworm)',
      version: '12',
      partition: 3,
    });
  });

  it('is none without an os-release, and of a volume that is cut off', async () => {
    expect(await guestOf('ext4', linuxVolume(null))).toBeNull();
    const cut = windowReader(bytesReader(new Uint8Array(4096)), 0, 4096, 'cut');
    expect(await detectGuest([{ number: 1, filesystem: 'ext4', volume: cut }])).toBeNull();
    expect(await detectGuest([{ number: 1, filesystem: 'xfs', volume: cut }])).toBeNull();
  });
});

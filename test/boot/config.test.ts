import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bootEdits } from '../../src/boot/index.js';
import type { BootEdits } from '../../src/boot/types.js';
import { judge, run } from '../support/judges.js';
import { bytesReader } from '../support/reader.js';
import { Workbench } from '../support/workbench.js';
import { bootInput } from './inputs.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** What is said when an ext4 volume with these files moves to sector `to`. */
function editsOf(files: Readonly<Record<string, string>>, to = 128): Promise<BootEdits> {
  const folder = bench.newFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, 'root', name)), { recursive: true });
    writeFileSync(join(folder, 'root', name), text);
  }
  const image = join(folder, 'image');
  run('mke2fs', ['-q', '-t', 'ext4', '-d', join(folder, 'root'), image, '4M']);
  const volume = bytesReader(new Uint8Array(readFileSync(image)));
  const moved = { number: 3, filesystem: 'ext4', volume, from: 63, to, type: '0x83' };
  return bootEdits(bootInput([moved]), new Set());
}

const BY_UUID = `
# offset=512 in a comment
UUID=0a3407de-014b-458b-b5c1-848e92a327a3 / ext4 errors=remount-ro 0 1
/dev/sda5 none swap sw 0 0
`;
const GRUB = `
search --no-floppy --fs-uuid --set=root 0a3407de-014b-458b-b5c1-848e92a327a3
chainloader (hd0)+1
chainloader (hd0,msdos1)63+1
`;

describe.skipIf(!judge('mke2fs'))('the configuration of a Linux that moves', () => {
  it('is said to stay right where it names volumes by UUID, label or number', async () => {
    const edits = await editsOf({ 'etc/fstab': BY_UUID, 'boot/grub/grub.cfg': GRUB });
    expect(edits).toMatchObject({ writes: [], warnings: [] });
    expect(edits.fixups).toEqual([
      {
        kind: 'grub-config',
        partition: 3,
        message: '/boot/grub/grub.cfg names volumes by UUID, label or number: it stays right',
      },
      {
        kind: 'fstab',
        partition: 3,
        message: '/etc/fstab names volumes by UUID, label or number: it stays right',
      },
    ]);
  });

  it('is warned about where it names places', async () => {
    const edits = await editsOf({
      'etc/fstab': `${BY_UUID}/dev/sda /mnt/old ext4 ro,loop,offset=32256 0 0\n`,
      'grub/menu.lst': 'chainloader (hd0)63+1\n',
    });
    expect(edits).toMatchObject({ writes: [], fixups: [] });
    expect(edits.warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'position-in-config: /grub/menu.lst on partition 3 names sectors of the disk: that does not follow the change',
      'position-in-config: /etc/fstab on partition 3 mounts by an offset: that does not follow the change',
    ]);
  });

  it('is warned about in crypttab, and where the whole disk is the root of sectors', async () => {
    const edits = await editsOf({
      'etc/crypttab': '# offset=1\nold /dev/sda none offset=1234,size=99\n',
      'boot/grub/grub.cfg': 'set root=(hd0)\nchainloader 63+1\n',
    });
    expect(edits.fixups).toEqual([]);
    expect(edits.warnings.map(({ message }) => message)).toEqual([
      '/boot/grub/grub.cfg on partition 3 names sectors of the disk: that does not follow the change',
      '/etc/crypttab on partition 3 opens a device by an offset: that does not follow the change',
    ]);
  });

  it('is not spoken of when nothing moves', async () => {
    expect(await editsOf({ 'etc/fstab': BY_UUID }, 63)).toEqual({ writes: [], fixups: [], warnings: [] });
  });
});

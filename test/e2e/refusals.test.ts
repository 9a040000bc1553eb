import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { judged, refusedBy } from '../oracle/judged.js';
import { expectCli } from '../support/cli.js';
import { editText, type Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { inMount } from '../support/mounts.js';
import { JUDGES, judgeNtfs } from '../support/verdicts.js';
import { SECTOR, type Volume } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const START = 63;
const SECTORS = 60_000;

/** A disk with one NTFS partition; `spoil` changes the volume before it goes in. */
function guestWith(spoil: (volume: string) => void = () => undefined): Guest {
  const pristine = bench.volume('ntfs', { sectors: SECTORS });
  const path = join(bench.newFolder(), 'volume');
  copyFileSync(pristine.path, path);
  spoil(path);
  const volume: Volume = { ...pristine, path };
  return bench.guest({
    name: 'disk',
    sectors: 70_000,
    table: 'mbr',
    partitions: [{ number: 1, start: START, volume }],
  });
}

function patch(path: string, at: number, bytes: Uint8Array | string): void {
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, Buffer.from(bytes), 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
}

const flatOf = (guest: Guest): string => guest.extents[0] ?? '';

/** Sets the dirty bit in $Volume (record 3), in the table and in its mirror: byte 0x10 of $VOLUME_INFORMATION's value. */
function setDirty(volume: string): void {
  const bytes = readFileSync(volume);
  const cluster = bytes.readUInt8(0x0d) * SECTOR;
  for (const field of [0x30, 0x38]) {
    const record = Number(bytes.readBigUInt64LE(field)) * cluster + 3 * 1024;
    let at = record + bytes.readUInt16LE(record + 0x14);
    while (bytes.readUInt32LE(at) !== 0x70) at += bytes.readUInt32LE(at + 4);
    const flags = at + bytes.readUInt16LE(at + 0x14) + 0x0a;
    patch(volume, flags, Uint8Array.of(1));
  }
}

describe.skipIf(!rootJudge(...JUDGES))('refused, with nothing changed', () => {
  const refused = async (guest: Guest, code: number, reason: string) => {
    const { hint } = await refusedBy(guest, code, reason, 'align');
    expect(hint).toMatch(/\w{3}/);
  };

  it('a dirty NTFS volume', () => refused(guestWith(setDirty), 4, 'ntfs-dirty'));

  it('a hibernated Windows', () => {
    const hibernate = (volume: string) => {
      inMount('ntfs', volume, 'rw', 'printf hibr > hiberfil.sys; head -c 8000 /dev/urandom >> hiberfil.sys');
    };
    return refused(guestWith(hibernate), 4, 'ntfs-hibernated');
  });

  it('BitLocker', () =>
    refused(
      guestWith((volume) => patch(volume, 3, '-FVE-FS-')),
      4,
      'bitlocker',
    ));

  it('a dynamic disk (LDM)', async () => {
    const guest = guestWith();
    patch(flatOf(guest), 446 + 4, Uint8Array.of(0x42));
    patch(flatOf(guest), 6 * SECTOR, 'PRIVHEAD');
    await refused(guest, 4, 'dynamic-disk');
  });

  it('a hybrid MBR', async () => {
    const volume = bench.volume('ntfs', { sectors: SECTORS });
    const partitions = [{ number: 1, start: 2049, volume }];
    const guest = bench.guest({ name: 'disk', sectors: 70_000, table: 'gpt', partitions });
    run('sgdisk', ['--hybrid=1', flatOf(guest)]);
    await refused(guest, 4, 'hybrid-mbr');
  });

  it('a snapshot beside the disk', async () => {
    const guest = guestWith();
    const child = readFileSync(guest.disk, 'latin1')
      .replace('parentCID=ffffffff', 'parentCID=1f2e3d4c\nparentFileNameHint="disk.vmdk"')
      .replace('monolithicFlat', 'vmfsSparse');
    writeFileSync(join(guest.folder, 'disk-000001.vmdk'), child);
    await refused(guest, 4, 'snapshots');
  });

  it('an extent outside the folder, unless that is allowed', async () => {
    const guest = guestWith();
    const outside = join(guest.folder, '..', 'outside-flat.vmdk');
    run('mv', [flatOf(guest), outside]);
    editText(guest.disk, (text) => text.replace('"disk-flat.vmdk"', '"../outside-flat.vmdk"'));
    await refused(guest, 4, 'outside-extent');
    await expectCli(0, 'align', guest.disk, '-y', '--allow-outside-extents');
    run('dd', [`if=${outside}`, `of=${outside}.cut`, 'bs=512', 'skip=128', 'count=60032', 'status=none']);
    judgeNtfs(`${outside}.cut`, 128);
  });

  it('no terminal to confirm on', async () => {
    const guest = guestWith();
    const { stderr } = await expectCli(2, 'align', guest.disk);
    expect(stderr).toContain('--yes');
    expect(existsSync(`${guest.disk}.vmreclaim`)).toBe(false);
  });
});

describe.skipIf(!rootJudge(...JUDGES))('changed block tracking', () => {
  it('is switched off in descriptor and .vmx, and its file removed', async () => {
    const guest = guestWith();
    const vmx = join(guest.folder, 'disk.vmx');
    writeFileSync(join(guest.folder, 'disk-ctk.vmdk'), 'tracked');
    writeFileSync(
      vmx,
      'displayName = "old"\nctkEnabled = "TRUE"\nscsi0:0.fileName = "disk.vmdk"\nscsi0:0.ctkEnabled = "TRUE"\nscsi0:0.present = "TRUE"\n',
    );
    editText(guest.disk, (text) =>
      text
        .replace('version=1', 'version=3')
        .replace(
          '# The Disk Data Base',
          '# Change Tracking File\nchangeTrackPath="disk-ctk.vmdk"\n\n# The Disk Data Base',
        ),
    );
    const { stdout } = await expectCli(0, 'align', guest.disk, '-y', '--json');
    expect(existsSync(join(guest.folder, 'disk-ctk.vmdk'))).toBe(false);
    const descriptor = readFileSync(guest.disk, 'latin1');
    expect(descriptor).toMatch(/^version=1$/m);
    expect(descriptor).not.toMatch(/^changeTrackPath/m);
    expect(readFileSync(vmx, 'latin1')).toBe(
      'displayName = "old"\nctkEnabled = "FALSE"\nscsi0:0.fileName = "disk.vmdk"\nscsi0:0.ctkEnabled = "FALSE"\nscsi0:0.present = "TRUE"\n',
    );
    const { warnings } = JSON.parse(stdout) as { warnings: { code: string }[] };
    expect(warnings.map(({ code }) => code)).toContain('change-tracking-reset');
    run('qemu-img', ['info', guest.disk]);
    await judged(guest, { 1: 2048 }, 'align', '--boundary', '1M');
  });
});

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from './random.js';

const MIB = 1 << 20;
/** A disk in three files; its opaque partition moves from 1.5 MiB to 64 KiB, the first file is cut, the others go. */
const EXTENTS = [2 * MIB, MIB, MIB];
const SIZE = 4 * MIB;
const USED = { at: 1.5 * MIB, length: 0.75 * MIB };
/** The descriptor in a folder. */
export const diskIn = (where: string) => join(where, 'x.vmdk');
/** An extent file in a folder, from 0. */
export const fileOf = (where: string, index: number) => join(where, `x-f00${index + 1}.vmdk`);

const NOISE = randomBytes(MIB / 16, 7);

/** Gives a disk an MBR with one opaque partition, and cuts it into extent files; the lines of its descriptor. */
export function writeSplit(
  where: string,
  bytes: Buffer,
  used: { readonly at: number; readonly length: number },
  extents: readonly number[],
): string {
  bytes.writeUInt8(0xda, 446 + 4);
  bytes.writeUInt32LE(used.at / 512, 446 + 8);
  bytes.writeUInt32LE(used.length / 512, 446 + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  let at = 0;
  for (const [index, size] of extents.entries()) {
    writeFileSync(fileOf(where, index), bytes.subarray(at, at + size));
    at += size;
  }
  return extents.map((size, index) => `RW ${size / 512} FLAT "x-f00${index + 1}.vmdk" 0`).join('\n');
}

/** Writes the disk, with a change tracking file and the .vmx that switches it on, into a new folder. */
export function writeDisk(where: string): void {
  mkdirSync(where);
  const bytes = Buffer.alloc(SIZE, NOISE);
  bytes.fill(0, 0, USED.at);
  const lines = writeSplit(where, bytes, USED, EXTENTS);
  for (const index of EXTENTS.keys()) chmodSync(fileOf(where, index), 0o640);
  const head = 'version=3\nCID=12345678\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n';
  const tracking = 'changeTrackPath="x-ctk.vmdk"\n';
  writeFileSync(diskIn(where), `# Disk DescriptorFile\n${head}${lines}\n${tracking}`);
  writeFileSync(join(where, 'x-ctk.vmdk'), 'tracked');
  const vmx = 'displayName = "old"\nctkEnabled = "TRUE"\nscsi0:0.present = "TRUE"\n';
  writeFileSync(join(where, 'x.vmx'), `${vmx}scsi0:0.fileName = "x.vmdk"\nscsi0:0.ctkEnabled = "TRUE"\n`);
}

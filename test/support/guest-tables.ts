import { closeSync, openSync, writeSync } from 'node:fs';
import { run } from './judges.js';
import { randomBytes } from './random.js';
import { SECTOR } from './volumes.js';

/** An entry of a table to be made: sectors of the disk. */
export interface TableEntry {
  readonly number: number;
  readonly start: number;
  readonly sectors: number;
  /** MBR type in hex, or what sgdisk takes as type code. */
  readonly type: string;
}

export interface Extended {
  readonly number: number;
  readonly start: number;
  readonly sectors: number;
}

/** The geometry of Windows XP and Server 2003. */
const HEADS = 255;
const TRACK = 63;

/**
 * Writes an MBR the way Windows 2003 did: each EBR one track before its logical. sfdisk would put EBRs elsewhere, so
 * they are written by hand; sfdisk judges the result.
 */
export function writeMbr(disk: string, entries: readonly TableEntry[], extended?: Extended): void {
  const mbr = tableSector();
  mbr.set(randomBytes(440, 1));
  mbr.writeUInt32LE(0x5e1f0a1d, 440);
  const fd = openSync(disk, 'r+');
  try {
    // Boot managers keep their second part behind the MBR.
    writeSync(fd, randomBytes(30 * SECTOR, 2), 0, 30 * SECTOR, SECTOR);
    for (const entry of entries.filter(({ number }) => number <= 4))
      writeEntry(mbr, entry.number - 1, entry, 0);
    if (extended !== undefined) {
      writeEntry(mbr, extended.number - 1, { ...extended, type: '0f' }, 0);
      writeChain(fd, entries, extended);
    }
    writeSync(fd, mbr, 0, SECTOR, 0);
  } finally {
    closeSync(fd);
  }
}

function writeChain(fd: number, entries: readonly TableEntry[], extended: Extended): void {
  const logicals = entries.filter(({ number }) => number > 4).sort((a, b) => a.start - b.start);
  logicals.forEach((logical, index) => {
    const ebrAt = logical.start - TRACK;
    const ebr = tableSector();
    writeEntry(ebr, 0, logical, ebrAt);
    const next = logicals[index + 1];
    if (next !== undefined) {
      const link = { start: next.start - TRACK, sectors: next.sectors + TRACK, type: '05' };
      writeEntry(ebr, 1, link, extended.start);
    }
    writeSync(fd, ebr, 0, SECTOR, ebrAt * SECTOR);
  });
}

function tableSector(): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Starts are relative to `base`; CHS values always count from the disk's first sector. */
function writeEntry(
  sector: Buffer,
  slot: number,
  { start, sectors, type }: Pick<TableEntry, 'start' | 'sectors' | 'type'>,
  base: number,
): void {
  const at = 446 + slot * 16;
  sector.writeUInt8(slot === 0 && base === 0 ? 0x80 : 0, at);
  writeChs(sector, at + 1, start);
  sector.writeUInt8(Number.parseInt(type, 16), at + 4);
  writeChs(sector, at + 5, start + sectors - 1);
  sector.writeUInt32LE(start - base, at + 8);
  sector.writeUInt32LE(sectors, at + 12);
}

function writeChs(sector: Buffer, at: number, lba: number): void {
  const cylinder = Math.floor(lba / (HEADS * TRACK));
  sector.writeUInt8(Math.floor(lba / TRACK) % HEADS, at);
  sector.writeUInt8((lba % TRACK) + 1 + (cylinder >> 8) * 64, at + 1);
  sector.writeUInt8(cylinder & 0xff, at + 2);
}

/** Makes a GPT with sgdisk: slots, GUIDs and names as given. */
export function writeGpt(disk: string, entries: readonly TableEntry[]): void {
  const options = entries.flatMap(({ number, start, sectors, type }) => [
    `--new=${number}:${start}:${start + sectors - 1}`,
    `--typecode=${number}:${type}`,
    `--change-name=${number}:part ${number}`,
  ]);
  run('sgdisk', ['--set-alignment=1', ...options, disk]);
}

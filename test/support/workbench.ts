import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneGuest, type Guest, type GuestWish, makeGuest } from './guests.js';
import { hashFile } from './mounts.js';
import { makeVolume, type Volume, type VolumeKind } from './volumes.js';

/** What a volume in a partition can be told besides its place. */
export type PartitionWish = Omit<Parameters<typeof makeVolume>[3], 'sectors' | 'hidden'>;

/** A temporary folder for one test file; makes each volume once, however many disks it goes into. */
export class Workbench {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'vmreclaim-bench-')));
  private readonly volumes = new Map<string, Volume>();
  private count = 0;

  volume(kind: VolumeKind, wish: Parameters<typeof makeVolume>[3]): Volume {
    const key = JSON.stringify([kind, wish]);
    const made = this.volumes.get(key) ?? makeVolume(this.folder, `volume-${this.volumes.size}`, kind, wish);
    this.volumes.set(key, made);
    return made;
  }

  /** A partition with a volume that fills it and knows where it starts. */
  partition(number: number, kind: VolumeKind, start: number, sectors: number, wish: PartitionWish = {}) {
    return { number, start, volume: this.volume(kind, { sectors, hidden: start, ...wish }) };
  }

  /** A disk in a folder of its own, alone in a new parent folder. */
  guest(wish: GuestWish): Guest {
    return makeGuest(this.newFolder(), wish);
  }

  clone(guest: Guest): Guest {
    return cloneGuest(guest, this.newFolder(), guest.name);
  }

  newFolder(): string {
    const path = join(this.folder, `${++this.count}`);
    mkdirSync(path);
    return path;
  }

  /** Drops a guest early: disks are large. */
  drop(guest: Guest): void {
    rmSync(guest.folder, { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Every file of a folder with its hash, inode and time: equal prints mean that nothing was written. */
export function printOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const { ino, mtimeMs, size } = statSync(path);
      return `${name} ${ino} ${size} ${mtimeMs} ${statSync(path).isFile() ? hashFile(path) : ''}`;
    })
    .join('\n');
}

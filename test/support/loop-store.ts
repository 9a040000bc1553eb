import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { run } from './judges.js';
import type { Workbench } from './workbench.js';

/** File systems that a datastore of a Linux host has. Each can punch; XFS and btrfs share blocks instead of copying them. */
export const MKFS = {
  ext4: ['mke2fs', '-q', '-F', '-t', 'ext4'],
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
} as const;

/** A file system of its own in a loop file, mounted below a folder; for root. */
export class LoopStore {
  readonly point: string;

  constructor(folder: string, [command, ...options]: readonly string[]) {
    this.point = join(folder, 'store');
    run('truncate', ['-s', '1G', `${this.point}.img`]);
    run(command ?? '', [...options, `${this.point}.img`]);
    mkdirSync(this.point);
    this.mount();
  }

  /** As a day later: XFS has given back by then what it sets aside beside blocks that were shared. */
  remount(): void {
    run('umount', [this.point]);
    this.mount();
  }

  private mount(): void {
    run('mount', ['-o', 'loop', `${this.point}.img`, this.point]);
  }

  remove(): void {
    run('umount', [this.point]);
    rmSync(`${this.point}.img`);
  }
}

/** Makes stores in folders of the bench; each is gone when its test is over. */
export function loopStores(bench: Workbench): (mkfs: readonly string[]) => LoopStore {
  const stores: LoopStore[] = [];
  afterEach(() => {
    for (const store of stores.splice(0)) store.remove();
  });
  return (mkfs) => {
    const store = new LoopStore(bench.newFolder(), mkfs);
    stores.push(store);
    return store;
  };
}

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../src/app/run/commands.js';
import type { MachineRunOptions } from '../../src/app/run/types.js';
import { writeOpaqueDisk } from './opaque-disk.js';

/**
 * A machine behind real commands: its power is a file. Each of its disks, `x0.vmdk`, `x1.vmdk` ..., can be aligned. A file
 * `deaf` beside it keeps the guest from shutting down, `dead` the machine from starting.
 */
export class CommandedMachine {
  readonly vmx: string;
  readonly lock: string;
  readonly commands: NonNullable<MachineRunOptions['host']['commands']>;
  private readonly state: string;

  constructor(
    readonly folder: string,
    sizes: readonly number[] = [8192],
  ) {
    mkdirSync(folder);
    this.vmx = join(folder, 'x.vmx');
    this.lock = `${this.vmx}.vmreclaim-run`;
    this.state = join(folder, 'power.txt');
    this.commands = {
      isOff: `grep -q off ${this.state} || exit 1`,
      powerOff: `echo asked >>${folder}/deeds; [ -e ${folder}/deaf ] || echo off >${this.state}`,
      powerOn: `echo started >>${folder}/deeds; [ ! -e ${folder}/dead ] || exit 5; echo on >${this.state}`,
    };
    const lines = sizes.map((sectors, unit) => {
      writeOpaqueDisk(folder, sectors, `x${unit}`);
      return `scsi0:${unit}.present = "TRUE"\nscsi0:${unit}.fileName = "x${unit}.vmdk"\n`;
    });
    writeFileSync(this.vmx, `displayName = "commanded"\n${lines.join('')}`);
    this.power = 'on';
  }

  get power(): string {
    return readFileSync(this.state, 'utf8').trim();
  }

  set power(state: 'on' | 'off') {
    writeFileSync(this.state, `${state}\n`);
  }

  get host(): MachineRunOptions['host'] {
    return { kind: 'auto', commands: this.commands };
  }

  /** `asked` and `started`, in order, since the last time. */
  deeds(): string[] {
    const path = join(this.folder, 'deeds');
    if (!existsSync(path)) return [];
    const deeds = readFileSync(path, 'utf8').trim().split('\n');
    rmSync(path);
    return deeds;
  }

  put(name: string): void {
    writeFileSync(join(this.folder, name), '');
  }

  drop(name: string): void {
    rmSync(join(this.folder, name));
  }

  note(): { powerOn: boolean; stage?: string; runId: string } | null {
    return existsSync(this.lock) ? JSON.parse(readFileSync(this.lock, 'utf8')) : null;
  }

  /** Where the partition of a disk begins. */
  startOf(disk = 0): number {
    return readFileSync(join(this.folder, `x${disk}-flat.vmdk`)).readUInt32LE(446 + 8);
  }
}

export const reallyRun = { runCommand };

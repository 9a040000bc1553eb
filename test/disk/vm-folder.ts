import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import type { Store } from '../../src/device/store.js';
import { descriptorText } from '../formats/vmdk/samples.js';

export { descriptorText };

const made: string[] = [];

/** Removes what the test made. Call once at the top of a test file. */
export function cleanUpFolders(): void {
  afterEach(() => {
    for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
  });
}

/** A temporary folder with helpers to lay out virtual machines in it. */
export class VmFolder {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'vmreclaim-disk-')));

  constructor() {
    made.push(this.path);
  }

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  text(name: string, content: string): string {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), content, 'latin1');
    return this.at(name);
  }

  /** A file of zeros, sparse, with an optional beginning. */
  image(name: string, sizeBytes: number, head = ''): string {
    this.text(name, head);
    truncateSync(this.at(name), sizeBytes);
    return this.at(name);
  }

  /** `NAME.vmdk` with `NAME-flat.vmdk` of 1 MiB. Returns the path of the descriptor. */
  disk(name: string, sample: Parameters<typeof descriptorText>[0] = {}): string {
    const flat = `${name}-flat.vmdk`;
    this.image(flat, 1 << 20);
    const extents = [`RW 2048 VMFS "${flat.slice(flat.lastIndexOf('/') + 1)}"`];
    return this.text(`${name}.vmdk`, descriptorText({ extents, ...sample }));
  }

  vmx(name: string, lines: readonly string[]): string {
    return this.text(name, `.encoding = "UTF-8"\n${lines.map((line) => `${line}\n`).join('')}`);
  }
}

/** A store that counts what it is asked for, and refuses to write. */
export function watched(store: Store): { store: Store; calls: Map<string, number> } {
  const calls = new Map<string, number>();
  const handler: ProxyHandler<Store> = {
    get: (target, name: keyof Store) => {
      const member = target[name];
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        calls.set(name, (calls.get(name) ?? 0) + 1);
        if (['replaceFile', 'createFolder', 'rename', 'remove'].includes(name))
          throw new Error(`${name} called`);
        if (name === 'open' && args[1] !== 'read') throw new Error('opened for writing');
        return Reflect.apply(member, target, args);
      };
    },
  };
  return { store: new Proxy(store, handler), calls };
}

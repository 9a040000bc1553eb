import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localStore } from '../../src/backends/local/local-store.js';
import { VmreclaimError } from '../../src/core/errors.js';
import { discover } from '../../src/disk/discover.js';
import { openSource } from '../../src/disk/open.js';
import { bytesOf } from '../formats/vmdk/samples.js';
import { cleanUpFolders, descriptorText, VmFolder, watched } from './vm-folder.js';

cleanUpFolders();

const { store } = watched(localStore);

/** Opens and searches; whatever lies there, the outcome is a source or an error that says who must act. */
async function harmless(folder: VmFolder): Promise<void> {
  for await (const { error } of discover(store, folder.path)) expect(error?.family).not.toBe('internal');
  for (const name of ['x.vmdk', 'x-flat.vmdk']) {
    try {
      await openSource(store, folder.at(name));
    } catch (error) {
      expect(error).toBeInstanceOf(VmreclaimError);
      expect(['damaged', 'device', 'unsupported', 'usage']).toContain((error as VmreclaimError).family);
    }
  }
}

describe('a folder with hostile files', () => {
  const FILES: Readonly<Record<string, Uint8Array>> = {
    'x.vmdk': bytesOf(descriptorText({ changeTracking: true })),
    'c.vmdk': bytesOf(descriptorText({ createType: 'vmfsSparse', hint: 'x.vmdk', parentCid: '1234abcd' })),
    'vm.vmx': bytesOf('.encoding = "UTF-8"\nscsi0:0.fileName = "x.vmdk"\nscsi0:1.fileName = "/a/x.vmdk"\n'),
    'vm.vmsd': bytesOf('snapshot.numSnapshots = "1"\nsnapshot0.disk0.fileName = "x.vmdk"\n'),
    'mono.vmdk': bytesOf(`KDMV${'\x01\0\0\0'.repeat(30)}`),
  };
  const lay = (): VmFolder => {
    const folder = new VmFolder();
    folder.image('x-flat.vmdk', 1 << 20);
    for (const [name, bytes] of Object.entries(FILES)) writeFileSync(folder.at(name), bytes);
    return folder;
  };

  it.each(Object.keys(FILES))('%s with flipped bytes or cut off', async (name) => {
    const folder = lay();
    const whole = FILES[name] ?? new Uint8Array();
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 0, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(flips, fc.nat(whole.length), async (changes, length) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        writeFileSync(folder.at(name), changes.length === 0 ? bytes.subarray(0, length) : bytes);
        await harmless(folder);
      }),
      { numRuns: 60 },
    );
  });
});

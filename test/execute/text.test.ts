import { expect, it } from 'vitest';
import { applyOthers } from '../../src/execute/apply.js';
import { MAX_VMX_BYTES } from '../../src/formats/vmx/index.js';
import { CrashStore } from '../support/crash-store.js';
import { MemoryDevice } from '../support/memory-device.js';

const FILE = '/vm.vmx';

it('changes the largest .vmx that is compiled into a program, and takes a change that was made for done', async () => {
  const before = new Uint8Array(MAX_VMX_BYTES).fill(0x41);
  const after = before.subarray(1);
  const store = new CrashStore();
  const content = new MemoryDevice(before.length);
  await content.writeAt(0, before);
  store.put(FILE, content);
  const phase = {
    stage: 'finish' as const,
    why: 'text',
    operations: [{ op: 'text' as const, file: FILE, before, after }],
  };
  for (const attempt of ['first', 'resumed']) {
    await applyOthers(new MemoryDevice(0), store, phase);
    const now = await store.readFile(FILE, MAX_VMX_BYTES);
    expect(Buffer.compare(now, after), attempt).toBe(0);
  }
});

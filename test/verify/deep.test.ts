import { describe, expect, it } from 'vitest';
import { damaged, deviceError } from '../../src/core/errors.js';
import { lba } from '../../src/core/units.js';
import type { LayoutPartition, Plan } from '../../src/plan/types.js';
import { checkVolumes, verifyVolumes } from '../../src/verify/deep.js';
import { MemoryDevice } from '../support/memory-device.js';

const partition: LayoutPartition = {
  number: 1,
  kind: 'primary',
  type: '0x07',
  startLba: lba(8),
  sectorCount: 64,
  ebrLba: null,
  filesystem: null,
  label: null,
  serial: null,
  usedBytes: null,
  aligned: true,
};

/** A plan that moves the partition and is over before and after it. */
function planOf(each: LayoutPartition): Plan {
  const layout = { sizeBytes: 1 << 20, partitions: [each] };
  const plan = {
    disk: { sectorSize: 512 },
    before: layout,
    after: layout,
    resizes: [],
    moves: [{ number: 1 }],
  };
  return plan as unknown as Plan;
}

/** A device whose reads fail once they leave the first bytes of the partition. */
function failing(error: Error): MemoryDevice {
  const device = new MemoryDevice(1 << 20);
  device.readAt = () => Promise.reject(error);
  return device;
}

describe('the deep check', () => {
  it('has nothing against volumes that nothing recognises, and looks into no container', async () => {
    await checkVolumes(new MemoryDevice(1 << 20), planOf(partition), 'before');
    const container = { ...partition, kind: 'extended' as const };
    await checkVolumes(failing(deviceError('io', 'no')), planOf(container), 'before');
  });

  it('after a change turns damage into a failed verification, and nothing else', async () => {
    await expect(verifyVolumes(failing(damaged('mft', 'bad')), planOf(partition))).rejects.toMatchObject({
      family: 'verify',
      code: 'not-sound',
    });
    await expect(verifyVolumes(failing(deviceError('io', 'no')), planOf(partition))).rejects.toMatchObject({
      family: 'device',
    });
    await expect(
      checkVolumes(failing(damaged('mft', 'bad')), planOf(partition), 'after'),
    ).rejects.toMatchObject({
      family: 'damaged',
    });
  });
});

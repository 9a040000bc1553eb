import { describe, expect, it } from 'vitest';
import { damaged, deviceError } from '../../src/core/errors.js';
import { lba } from '../../src/core/units.js';
import type { LayoutPartition } from '../../src/plan/types.js';
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

/** A device whose reads fail once they leave the first bytes of the partition. */
function failing(error: Error): MemoryDevice {
  const device = new MemoryDevice(1 << 20);
  device.readAt = () => Promise.reject(error);
  return device;
}

describe('the deep check', () => {
  it('has nothing against volumes that nothing recognises, and looks into no container', async () => {
    await checkVolumes(new MemoryDevice(1 << 20), [partition], 512);
    const container = { ...partition, kind: 'extended' as const };
    await checkVolumes(failing(deviceError('io', 'no')), [container], 512);
  });

  it('after a change turns damage into a failed verification, and nothing else', async () => {
    await expect(verifyVolumes(failing(damaged('mft', 'bad')), [partition], 512)).rejects.toMatchObject({
      family: 'verify',
      code: 'not-sound',
    });
    await expect(verifyVolumes(failing(deviceError('io', 'no')), [partition], 512)).rejects.toMatchObject({
      family: 'device',
    });
    await expect(checkVolumes(failing(damaged('mft', 'bad')), [partition], 512)).rejects.toMatchObject({
      family: 'damaged',
    });
  });
});

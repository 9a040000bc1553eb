import { u16be, u32be } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { damaged } from '../../core/errors.js';
import { isPowerOfTwo } from '../../core/units.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** Apple Technical Note TN1150: the volume header. */
const HEADER_AT = 1024;
const SIGNATURES = [
  { word: 'H+', version: 4 },
  { word: 'HX', version: 5 },
] as const;
const UNMOUNTED = 0x100;
const INCONSISTENT = 0x800;
const HEADER = defineLayout('HFS+ volume header', 52, {
  version: { at: 2, type: u16be },
  attributes: { at: 4, type: u32be },
  blockBytes: { at: 40, type: u32be },
  blockCount: { at: 44, type: u32be },
  freeBlocks: { at: 48, type: u32be },
});

/** HFS+ and HFSX. A second header is found by the end of the volume: the partition keeps its size. */
export const hfsplus: FilesystemFormat = {
  id: 'hfsplus',
  probe: (head) =>
    SIGNATURES.some(
      ({ word, version }) =>
        hasText(head, HEADER_AT, word) &&
        head.length >= HEADER_AT + HEADER.size &&
        HEADER.decode(head, HEADER_AT).version === version,
    ),
  inspect: async (volume) => {
    const bytes = await readInside(volume, HEADER_AT, HEADER.size, 'the HFS+ volume header');
    const { attributes, blockBytes, blockCount, freeBlocks } = HEADER.decode(bytes);
    const totalBytes = blockBytes * blockCount;
    if (!isPowerOfTwo(blockBytes) || freeBlocks > blockCount || totalBytes > volume.sizeBytes) {
      throw damaged('hfsplus-header', 'the HFS+ volume header makes no sense', {
        offset: HEADER_AT,
        expected: `at most ${volume.sizeBytes} bytes`,
        actual: totalBytes,
      });
    }
    const clean = (attributes & UNMOUNTED) !== 0 && (attributes & INCONSISTENT) === 0;
    return volumeFacts({
      kind: 'hfsplus',
      clusterBytes: blockBytes,
      totalBytes,
      usedBytes: totalBytes - freeBlocks * blockBytes,
      state: clean ? 'clean' : 'dirty',
      toleratesLargerPartition: false,
    });
  },
};

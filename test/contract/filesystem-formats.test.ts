import { describe, expect, it } from 'vitest';
import type { FilesystemFormat } from '../../src/formats/types.js';
import { FILESYSTEM_FORMATS, probeFilesystem } from '../../src/inspect/registry.js';
import { judge } from '../support/judges.js';
import { filesystemFormatContract } from './filesystem-format.js';
import { SAMPLES, unmatchedIds } from './filesystem-samples.js';
import { headOf } from './format-laws.js';

const available = SAMPLES.filter(({ tools }) => judge(...tools));

function formatOf(id: string): FilesystemFormat {
  const format = FILESYSTEM_FORMATS.find((one) => one.id === id);
  if (format === undefined) throw new Error(`${id} is not in the registry`);
  return format;
}

for (const sample of available) {
  filesystemFormatContract(sample.name, async () => ({
    ...sample,
    format: formatOf(sample.id),
    volume: sample.make(),
  }));
}

describe('all formats', () => {
  it('run the suite, and only formats of the registry do', () => {
    expect(unmatchedIds()).toEqual({ without: [], unknown: [] });
  });

  it.each(available)(
    '$name is its own format for the registry, and no trouble to any other',
    async (sample) => {
      const volume = sample.make();
      expect((await probeFilesystem(volume))?.format.id).toBe(sample.id);
      const head = await headOf(volume);
      for (const format of FILESYSTEM_FORMATS) {
        for (const length of [head.length, 4096, 1024, 512, 100, 0]) {
          expect(await format.probe(head.subarray(0, length), volume), format.id).toBeTypeOf('boolean');
        }
      }
    },
  );
});

import { refused, unsupported } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import { findInRoot } from './directory.js';
import { ATTRIBUTE_TYPE } from './layout.js';
import { HOLE } from './mapping-pairs.js';
import type { AttributeStream } from './stream.js';
import { openVolume } from './volume.js';

/** What Windows pages to. Both are made use of anew at every start; their size and clusters stay. */
const PAGE_FILES: readonly string[] = ['pagefile.sys', 'swapfile.sys'];

/** A crash dump waits in the page file for the next start: PAGEDUMP, PAGEDU64. */
const DUMP_SIGNATURE = 'PAGEDU';

/**
 * The clusters of the page files in the root directory of a clean volume. Throws Refused (ntfs-crash-dump) when one
 * holds a crash dump that Windows has not saved yet, Unsupported when one is not stored plainly.
 */
export async function* pageFileRanges(reader: Reader): AsyncGenerator<ByteRange> {
  const volume = await openVolume(reader);
  for (const name of PAGE_FILES) {
    const file = await findInRoot(volume, name);
    const content = file && (await volume.openStream(file, ATTRIBUTE_TYPE.data));
    // What fits into its record is no page file.
    if (content === undefined || content.isResident) continue;
    if (!content.isPlain) {
      throw unsupported('ntfs-page-file', `${name} is compressed or encrypted: Windows made no such file`, {
        hint: 'leave out --pagefile',
      });
    }
    await refuseDump(content, name);
    for (let index = 0; index < content.runs.count; index++) {
      const { lcn, length } = content.runs.at(index);
      if (lcn !== HOLE) yield { at: lcn * volume.clusterBytes, length: length * volume.clusterBytes };
    }
  }
}

async function refuseDump(content: AttributeStream, name: string): Promise<void> {
  const length = Math.min(DUMP_SIGNATURE.length, content.sizeBytes);
  const head = String.fromCharCode(...(await content.readAt(0, length)));
  if (head !== DUMP_SIGNATURE) return;
  throw refused('ntfs-crash-dump', `${name} holds a crash dump that Windows has not saved yet`, {
    hint: 'start the guest once, so that Windows saves it, or leave out --pagefile',
  });
}

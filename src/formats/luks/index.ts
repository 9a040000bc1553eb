import { ascii, u16be } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';

/** `LUKS` and two bytes that are no text (cryptsetup, on-disk formats 1 and 2). */
const MAGIC = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];
const VERSIONS: readonly number[] = [1, 2];
const VERSION_WITH_LABEL = 2;

/** The fields that both versions keep in the same place, and the label that version 2 has. */
const HEADER = defineLayout('LUKS header', 208, {
  magic: { at: 0, type: ascii(6) },
  version: { at: 6, type: u16be },
  label: { at: 24, type: utf8Text(48) },
  uuid: { at: 168, type: utf8Text(40) },
});

/**
 * LUKS containers. Offsets in the header and the numbers that sectors are encrypted with count from the start
 * of the container: a move changes nothing. What is inside cannot be seen.
 */
export const luks: FilesystemFormat = { id: 'luks', probe, inspect };

function probe(head: Uint8Array): boolean {
  return (
    hasBytes(head, 0, MAGIC) && head.length >= HEADER.size && VERSIONS.includes(HEADER.decode(head).version)
  );
}

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const header = HEADER.decode(await readInside(volume, 0, HEADER.size, 'the LUKS header'));
  return volumeFacts({
    kind: `luks${header.version}`,
    label: header.version === VERSION_WITH_LABEL ? header.label : null,
    serial: header.uuid,
    toleratesLargerPartition: true,
  });
}

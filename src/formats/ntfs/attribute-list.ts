import { KIB } from '../../core/units.js';
import { LIST_ENTRY } from './layout.js';
import { type Attribute, type FileRecord, type RecordReference, readReference } from './record.js';
import { damagedNtfs } from './remedies.js';

/** Windows keeps the value of an attribute list below this (ntfs-3g refuses larger ones as well). */
export const MAX_ATTRIBUTE_LIST_BYTES = 256 * KIB;

/** One piece of an attribute, and the record that holds it. */
export interface ListEntry {
  readonly type: number;
  readonly name: string;
  readonly lowestVcn: number;
  readonly reference: RecordReference;
  readonly instance: number;
}

/** Decodes the value of an $ATTRIBUTE_LIST; `owner` names it in messages. Throws Damaged. */
export function decodeAttributeList(value: Uint8Array, owner: string): ListEntry[] {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const entries: ListEntry[] = [];
  for (let at = 0; at < value.length; ) {
    const fits = at + LIST_ENTRY.headerBytes <= value.length;
    const length = fits ? view.getUint16(at + LIST_ENTRY.length, true) : 0;
    if (length < LIST_ENTRY.headerBytes || at + length > value.length) {
      throw damagedNtfs('ntfs-attribute-list', `attribute list of ${owner} is cut off`, { offset: at });
    }
    entries.push(decodeEntry(view, at, length, owner));
    at += length;
  }
  return entries;
}

function decodeEntry(view: DataView, at: number, length: number, owner: string): ListEntry {
  const nameAt = view.getUint8(at + LIST_ENTRY.nameOffset);
  const nameLength = view.getUint8(at + LIST_ENTRY.nameLength);
  if (nameLength > 0 && nameAt + nameLength * 2 > length) {
    throw damagedNtfs('ntfs-attribute-list', `attribute list of ${owner}: a name is cut off`, { offset: at });
  }
  let name = '';
  for (let index = 0; index < nameLength; index++) {
    name += String.fromCharCode(view.getUint16(at + nameAt + index * 2, true));
  }
  const vcnAt = at + LIST_ENTRY.lowestVcn;
  return {
    type: view.getUint32(at + LIST_ENTRY.type, true),
    name,
    lowestVcn: view.getInt32(vcnAt + 4, true) * 2 ** 32 + view.getUint32(vcnAt, true),
    reference: readReference(view, at + LIST_ENTRY.record),
    instance: view.getUint16(at + LIST_ENTRY.instance, true),
  };
}

/**
 * The attribute that an entry names, inside the record it points to. Throws Damaged when the record belongs to
 * another file than `base`, or does not hold it.
 */
export function findListed(entry: ListEntry, holder: FileRecord, base: FileRecord): Attribute {
  const owner = holder.baseReference;
  if (holder !== base && (owner.record !== base.number || owner.sequence !== base.sequence)) {
    throw damagedNtfs(
      'ntfs-attribute-list',
      `${holder.name} is in the attribute list of ${base.name} but not its extension`,
      {
        offset: holder.offset,
      },
    );
  }
  const isSame = entry.reference.sequence === holder.sequence;
  for (const attribute of holder.attributes()) {
    const same = isSame && attribute.type === entry.type && attribute.instance === entry.instance;
    if (same && attribute.lowestVcn === entry.lowestVcn && attribute.hasName(entry.name)) return attribute;
  }
  throw damagedNtfs(
    'ntfs-attribute-list',
    `${holder.name} lacks attribute 0x${entry.type.toString(16)} of ${base.name}`,
    {
      offset: holder.offset,
      expected: `piece at VCN ${entry.lowestVcn}`,
    },
  );
}

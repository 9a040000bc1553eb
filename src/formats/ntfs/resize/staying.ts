import type { ListEntry } from '../attribute-list.js';
import { ATTRIBUTE_TYPE } from '../layout.js';
import type { Attribute } from '../record.js';
import type { PlacedRun } from './encode-pairs.js';
import { splitPiece } from './split-piece.js';

/** An entry of an attribute list that will say where its attribute went. */
export type Slot = { -readonly [Key in keyof ListEntry]: ListEntry[Key] };

/** An attribute that stays in its base record while the file is packed anew. */
export interface Staying {
  readonly attribute: Attribute;
  readonly slot: Slot | undefined;
  /** Where its clusters will be; undefined for a resident one. */
  readonly runs: readonly PlacedRun[] | undefined;
  /** Bytes it will take in the record. */
  readonly length: number;
}

/** The attributes of a base record in their order by type, with the encoded attribute list among them. */
export function withList(staying: readonly Staying[], list: Uint8Array): Uint8Array[] {
  const before = staying.filter(({ attribute }) => attribute.type < ATTRIBUTE_TYPE.attributeList);
  const behind = staying.filter(({ attribute }) => attribute.type > ATTRIBUTE_TYPE.attributeList);
  return [...before.map(encodeStaying), list, ...behind.map(encodeStaying)];
}

function encodeStaying({ attribute, runs, length }: Staying): Uint8Array {
  const raw = attribute.record.bytes.slice(attribute.at, attribute.end);
  if (runs === undefined || runs.length === 0) return raw;
  const [whole] = splitPiece(attribute, runs, { first: length, others: 0 }) ?? [];
  return whole?.bytes ?? raw;
}

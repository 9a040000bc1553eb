import { fromByteString, toByteString } from '../../codec/lines.js';
import { type Reason, unsupported } from '../../core/errors.js';

/** Of ReAgent.xml; it has two KiB. */
export const REAGENT_BYTES_MAX = 64 * 1024;

/** Root element of every ReAgent.xml. */
const ROOT = /<WindowsRE\b/;
/** An element that says where an image is: id (signature of an MBR disk), offset of the partition, guid (of a GPT). */
const LOCATION = /<\w*Location\b[^<>]*>/g;
/** Either kind of quotation marks, as XML has it. */
const ATTRIBUTE = (name: string) => new RegExp(`(\\s${name}\\s*=\\s*(["']))([^"'<>]*)(\\2)`);
/** White space between elements, which means nothing. */
const GAP = />(\s+)</g;

/** Which disk the file's locations are looked up for. */
export interface ReagentDisk {
  readonly table: 'mbr' | 'gpt';
  /** Signature as 8 hex digits, or GUID. */
  readonly id: string;
}

/** Old places that the file names, of that disk. Throws Unsupported for a text this program cannot read. */
export function reagentOffsets(file: Uint8Array, disk: ReagentDisk): bigint[] {
  const text = toByteString(file);
  // Among them UTF-16, which Windows reads as well: letters lie two bytes apart then.
  if (!ROOT.test(text))
    throw unsupported('reagent-form', 'it is no text with an element WindowsRE, in UTF-8');
  return (text.match(LOCATION) ?? []).flatMap((element) => {
    const offset = offsetIn(element, disk);
    return offset === undefined ? [] : [offset];
  });
}

/** The offset an element names, if it names that disk; 0 stands for none. Throws Unsupported. */
function offsetIn(element: string, { table, id }: ReagentDisk): bigint | undefined {
  const text = (name: string): string => ATTRIBUTE(name).exec(element)?.[3] ?? '';
  const isOurs =
    table === 'mbr'
      ? text('id') === Number.parseInt(id, 16).toString()
      : text('guid').replace(/[{}]/g, '').toLowerCase() === id.toLowerCase();
  if (!isOurs || ['', '0'].includes(text('offset'))) return undefined;
  if (/^[1-9]\d{0,18}$/.test(text('offset'))) return BigInt(text('offset'));
  throw unsupported('reagent-form', 'it names an offset on this disk that is no decimal number');
}

/**
 * The file with the new offsets, as long as it was: a shorter number leaves a space behind its attribute, a longer one
 * takes white space from between elements. Undefined when there is not enough of that.
 */
export function moveReagent(
  file: Uint8Array,
  disk: ReagentDisk,
  map: (offset: bigint) => bigint | undefined,
): Uint8Array | undefined {
  const before = toByteString(file);
  const after = before.replace(LOCATION, (element) => {
    const offset = offsetIn(element, disk);
    const to = offset === undefined ? undefined : map(offset);
    if (offset === undefined || to === undefined) return element;
    const padding = ' '.repeat(Math.max(0, `${offset}`.length - `${to}`.length));
    return element.replace(ATTRIBUTE('offset'), (_, start: string, __, ___, end: string) => {
      return `${start}${to}${end}${padding}`;
    });
  });
  const text = withLength(after, before.length);
  return text === undefined ? undefined : fromByteString(text);
}

function withLength(text: string, length: number): string | undefined {
  let surplus = text.length - length;
  const shorter = text.replace(GAP, (_, gap: string) => {
    const taken = Math.min(surplus, gap.length);
    surplus -= taken;
    return `>${gap.slice(taken)}<`;
  });
  return surplus === 0 ? shorter : undefined;
}

/** What the operator has to do when the file cannot follow; `why` continues its name. */
export const reagentWarning = (why: string): Reason => ({
  code: 'reagent-unchanged',
  message: `ReAgent.xml ${why}: Windows may not find its recovery image`,
  hint: 'run `reagentc /disable` and `reagentc /enable` in the guest',
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MIB } from '../../core/units.js';

/** The collector of V8, by its own name for it. */
type Collect = (options: { type: 'minor' | 'major'; execution: 'sync' }) => void;

/** Bytes on the wire between two collections. */
const MINOR_BYTES = 2 * MIB;
const MAJOR_BYTES = 64 * MIB;

let collect: Collect | undefined;
let sinceMinor = 0;
let sinceMajor = 0;

/**
 * Called for bytes that crossed the wire. The library makes a buffer for each packet, some three times over, and V8 lets
 * these pile up to 64 MiB because they are outside of its heap. Collected often, it is a few MiB and costs less than 2 % of
 * the time.
 */
export function afterTransfer(bytes: number): void {
  sinceMinor += bytes;
  sinceMajor += bytes;
  if (sinceMinor < MINOR_BYTES) return;
  collect ??= exposed();
  const isMajor = sinceMajor >= MAJOR_BYTES;
  collect({ type: isMajor ? 'major' : 'minor', execution: 'sync' });
  sinceMinor = 0;
  if (isMajor) sinceMajor = 0;
}

/** Only a new context has the function that the flag brings. */
function exposed(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}

import { usageError } from './errors.js';
import { GIB, KIB, MIB, TIB } from './units.js';

/** Bytes of a sector as people count them on a command line, whatever the disk's own sector size is. */
const TYPED_SECTOR_BYTES = 512;

const UNIT_BYTES: Readonly<Record<string, number>> = { K: KIB, M: MIB, G: GIB, T: TIB };

/** Longer texts are no sizes; keeps the exact arithmetic below small. */
const MAX_SIZE_TEXT = 32;

/** Digits, an optional fraction, and a unit: `4096`, `64K`, `1.5GiB`, `2048s`. Never `GB`: is it 10^9 or 2^30? */
const SIZE_TEXT = /^(\d+)(?:\.(\d+))?(?:([KMGT])(?:iB)?|(s))?$/;

const SIZE_HINT = 'Write a size as 65536, 64K, 1.5G, 40GiB or 2048s (sectors of 512 bytes).';

/**
 * Bytes of a size that a person typed. K, M, G, T are powers of 1024, with or without `iB`; `s` is a sector of
 * 512 bytes; no unit is bytes. A fraction is accepted when it comes to whole bytes. Usage error `bad-size`
 * for everything else: a size that is guessed is a partition that is lost.
 */
export function parseSize(text: string): number {
  const match = text.length <= MAX_SIZE_TEXT ? SIZE_TEXT.exec(text) : null;
  if (match === null) throw badSize(text, 'is not a size');
  const [, whole = '0', fraction = '', unit, sectors] = match;
  if (fraction !== '' && unit === undefined) throw badSize(text, 'has a fraction but no unit');
  const unitBytes = sectors === undefined ? (UNIT_BYTES[unit ?? ''] ?? 1) : TYPED_SECTOR_BYTES;
  const scaled = BigInt(whole + fraction) * BigInt(unitBytes);
  const scale = 10n ** BigInt(fraction.length);
  if (scaled % scale !== 0n) throw badSize(text, 'does not come to whole bytes');
  const bytes = Number(scaled / scale);
  if (!Number.isSafeInteger(bytes)) throw badSize(text, 'is larger than any disk');
  return bytes;
}

function badSize(text: string, what: string): Error {
  return usageError('bad-size', `${JSON.stringify(text)} ${what}`, { hint: SIZE_HINT });
}

const UNIT_NAMES = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes for people, one decimal: `512 B`, `40.0 GiB`, `-1.5 MiB`. Rounded; never use it to compute. */
export function formatSize(bytes: number): string {
  if (bytes < 0) return `-${formatSize(-bytes)}`;
  if (bytes < KIB) return `${bytes} B`;
  let value = bytes / KIB;
  let index = 0;
  // What would round up to 1024.0 belongs to the next unit.
  while (value >= 1023.95 && index < UNIT_NAMES.length - 1) {
    value /= KIB;
    index++;
  }
  return `${value.toFixed(1)} ${UNIT_NAMES[index]}`;
}

/** Bytes without rounding, in the largest unit that divides them: `64 KiB`, `33280 B`. For boundaries and alignments. */
export function formatExactSize(bytes: number): string {
  let value = bytes;
  let index = -1;
  while (value !== 0 && value % KIB === 0 && index < UNIT_NAMES.length - 1) {
    value /= KIB;
    index++;
  }
  return `${value} ${UNIT_NAMES[index] ?? 'B'}`;
}

/** A whole number with its thousands apart: `1,234,567`. The same on every machine, whatever its language. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds for people, two units at the most: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`, `2 d 3 h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return pair(whole, MINUTE, 'min', 1, 's');
  const minutes = Math.round(whole / MINUTE) * MINUTE;
  if (minutes < DAY) return pair(minutes, HOUR, 'h', MINUTE, 'min');
  return pair(Math.round(whole / HOUR) * HOUR, DAY, 'd', HOUR, 'h');
}

function pair(seconds: number, major: number, majorName: string, minor: number, minorName: string): string {
  const rest = Math.floor((seconds % major) / minor);
  const head = `${Math.floor(seconds / major)} ${majorName}`;
  return rest === 0 ? head : `${head} ${rest} ${minorName}`;
}

/**
 * Share of a whole: `34 %`. Not rounded to 0 or 100 when it is neither: `<1 %`, `>99 %`, since "0 % free" and
 * "100 % used" mean something to an operator. `-` of nothing.
 */
export function formatPercent(part: number, whole: number): string {
  if (whole <= 0) return '-';
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 1) return '<1 %';
  if (percent > 99 && percent < 100) return '>99 %';
  return `${Math.round(percent)} %`;
}

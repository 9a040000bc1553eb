import { formatPercent, formatSize } from '../../core/size.js';
import type { Overview } from '../overview/types.js';
import { html } from './escape.js';

/** More bars than this say less: the tables have all of them. */
const MOST_BARS = 12;
const WIDTH = 1000;
const HEIGHT = 18;

interface Part {
  /** Class of the colour: u used, f free, r given back, x neither. */
  readonly kind: string;
  readonly bytes: number;
  readonly title: string;
}

interface Bar {
  readonly title: string;
  readonly note: string;
  readonly parts: readonly Part[];
}

/** The charts of the page: the use of all disks, of each datastore, and where the most can be saved. */
export function charts(overview: Overview): string {
  return [
    figure('All disks', usageBars(overview)),
    figure('Datastores', datastoreBars(overview)),
    figure('Recommended savings by folder', savingBars(overview)),
    figure('Saved so far', doneBars(overview)),
  ].join('');
}

function usageBars({ totals }: Overview): Bar[] {
  if (totals.sizeBytes === 0) return [];
  const { sizeBytes, usedBytes, freeBytes, savedBytes, growthBytes, plannedBytes } = totals;
  const used: Part = { kind: 'u', bytes: usedBytes, title: 'used' };
  const saved = Math.min(savedBytes, sizeBytes - usedBytes);
  const free = Math.max(0, Math.min(freeBytes - saved, sizeBytes - usedBytes - saved));
  const rest = sizeBytes - usedBytes - saved - free;
  const planned = Math.max(0, plannedBytes - usedBytes);
  return [
    {
      title: 'today',
      note: formatSize(sizeBytes),
      parts: [
        used,
        { kind: 'f', bytes: free, title: 'free' },
        { kind: 'x', bytes: rest, title: 'unallocated or unknown' },
        { kind: 'r', bytes: saved, title: 'can be saved' },
      ],
    },
    {
      title: 'as recommended',
      note: `${formatSize(plannedBytes)}${growthBytes > 0 ? `, ${formatSize(growthBytes)} of it new` : ''}`,
      parts: [used, { kind: 'f', bytes: planned, title: 'free or unknown' }],
    },
  ];
}

function datastoreBars({ datastores }: Overview): Bar[] {
  return datastores.slice(0, MOST_BARS).map(({ name, capacityBytes, usedBytes, freeBytes }) => ({
    title: name,
    note: `${formatPercent(usedBytes, capacityBytes)} of ${formatSize(capacityBytes)}`,
    parts: [
      { kind: 'u', bytes: usedBytes, title: 'used' },
      { kind: 'f', bytes: freeBytes, title: 'free' },
    ],
  }));
}

function savingBars({ savings }: Overview): Bar[] {
  return [...savings]
    .filter(({ savedBytes }) => savedBytes > 0)
    .sort((a, b) => b.savedBytes - a.savedBytes)
    .slice(0, MOST_BARS)
    .map(({ folder, savedBytes, blockedBytes }) => ({
      title: folder,
      note: formatSize(savedBytes),
      parts: [
        { kind: 'r', bytes: savedBytes - blockedBytes, title: 'can be saved' },
        { kind: 'x', bytes: blockedBytes, title: 'blocked: the disk is refused today' },
      ],
    }));
}

function doneBars({ done }: Overview): Bar[] {
  const byCommand = new Map<string, number>();
  for (const { command, savedBytes } of done) {
    byCommand.set(command, (byCommand.get(command) ?? 0) + savedBytes);
  }
  return [...byCommand]
    .filter(([, bytes]) => bytes > 0)
    .map(([command, bytes]) => ({
      title: command,
      note: formatSize(bytes),
      parts: [{ kind: 'r', bytes, title: 'saved' }],
    }));
}

function figure(title: string, bars: readonly Bar[]): string {
  if (bars.length === 0) return '';
  const scale = bars.reduce((most, { parts }) => Math.max(most, total(parts)), 1);
  const rows = bars.map(
    (bar) =>
      `<div class=bar><span title="${html(bar.title)}">${html(bar.title)}</span>${drawing(bar, scale)}<span>${html(bar.note)}</span></div>`,
  );
  return `<figure><figcaption>${html(title)}</figcaption>${rows.join('')}</figure>`;
}

const total = (parts: readonly Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);

function drawing({ title, note, parts }: Bar, scale: number): string {
  let x = 0;
  const boxes = parts
    .filter(({ bytes }) => bytes > 0)
    .map(({ kind, bytes, title: what }) => {
      const width = Math.round((bytes / scale) * WIDTH * 10) / 10;
      const box = `<path class=${kind} d="M${x.toFixed(1)} 0h${width}v${HEIGHT}h${-width}z"><title>${html(`${what}: ${formatSize(bytes)}`)}</title></path>`;
      x += width;
      return box;
    });
  const label = html(`${title}: ${note}`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio=none role=img aria-label="${label}">${boxes.join('')}</svg>`;
}

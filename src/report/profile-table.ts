import { formatSize } from '../core/size.js';
import { BUILT_IN } from '../profile/defaults.js';
import type { Category, Match, Profile, SettingName, Settings } from '../profile/types.js';
import { painter } from './paint.js';
import { type Column, renderTable } from './table.js';
import { wrapText } from './text-width.js';
import type { RenderOptions } from './types.js';

const COLUMNS: readonly Column[] = [
  { title: 'category', least: 10 },
  { title: 'holds for', least: 20 },
  { title: 'says', least: 20 },
];

/** The categories of a profile, a line each, in the order in which later ones win. */
export function renderProfile(profile: Profile, options: RenderOptions): string {
  const paint = painter(options);
  const guests = Object.entries(profile.guests).filter(
    ([, settings]) => Object.keys(settings ?? {}).length > 0,
  );
  const rows = [
    ['defaults', 'all disks', paint.text(settingsText(profile.defaults))],
    ...guests.map(([guest, settings]) => [
      `guests.${guest}`,
      `${guest} guests`,
      paint.text(settingsText(settings ?? {})),
    ]),
    ...profile.categories.map((category) => [
      paint.text(category.name),
      paint.text(conditionText(category)),
      paint.text(settingsText(category.settings)),
    ]),
  ];
  return `${renderTable(COLUMNS, rows, options).join('\n')}\n`;
}

/** One category with everything it holds and says. */
export function renderCategory(category: Category, options: RenderOptions): string {
  const paint = painter(options);
  const lines = [
    paint.strong(paint.text(category.name)),
    ...(category.description === '' ? [] : [paint.text(category.description)]),
    `holds for: ${paint.text(conditionText(category))}`,
    ...settingsText(category.settings)
      .split('; ')
      .map((line) => `says: ${paint.text(line)}`),
  ];
  return `${lines.flatMap((line) => wrapText(line, options.width, '  ')).join('\n')}\n`;
}

function conditionText({ match, attach }: Category): string {
  const conditions = match === null ? [] : conditionsOf(match);
  const named = attach.length === 0 ? [] : [`attached: ${attach.join(', ')}`];
  return [...(conditions.length === 0 ? [] : [conditions.join(' and ')]), ...named].join('; or ');
}

function conditionsOf(match: Match): string[] {
  const { minimumDiskBytes: least, maximumDiskBytes: most, ...lists } = match;
  return [
    ...Object.entries(lists).map(([key, patterns]) => `${key} ${patterns.join(' or ')}`),
    ...(least === undefined ? [] : [`disk of ${formatSize(least)} or more`]),
    ...(most === undefined ? [] : [`disk of ${formatSize(most)} or less`]),
  ];
}

const IN_BYTES: ReadonlySet<string> = new Set(['freeBytes', 'growthPerMonth', 'boundaryBytes', 'worthBytes']);

function settingsText(settings: Partial<Settings>): string {
  const names = (Object.keys(BUILT_IN) as SettingName[]).filter((name) => settings[name] !== undefined);
  if (names.length === 0) return 'nothing of its own';
  return names.map((name) => `${name} ${valueText(name, settings[name])}`).join('; ');
}

function valueText(name: SettingName, value: Settings[SettingName] | undefined): string {
  if (typeof value === 'number' && IN_BYTES.has(name)) return formatSize(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(', ') : String(value);
}

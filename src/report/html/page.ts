import { formatSize } from '../../core/size.js';
import { type CellValue, cellText, forPeople, isNumeric, type Sheet, sheetsOf } from '../overview/sheets.js';
import { summaryLines } from '../overview/summary.js';
import type { DiskRow, Overview } from '../overview/types.js';
import { charts } from './charts.js';
import { html } from './escape.js';
import { diskMaps } from './map.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** SHA-256 of the script and of the style: the browser runs and applies nothing else (a test keeps them right). */
export const SCRIPT_HASH = 'sha256-F2DcxPsi8OLMzjyoddJCWbn9HcCZ5OJYyqh+U657SJY=';
export const STYLE_HASH = 'sha256-eb4ZjPqJIMdl5QiXktGAfH0rCWyOfWfKt4AWKcAKNIs=';

const POLICY = `default-src 'none'; script-src '${SCRIPT_HASH}'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;

/** The overview as one HTML file that needs nothing else: no network, no fonts, no frames. */
export function renderHtml(overview: Overview): string {
  const sheets = sheetsOf(overview)
    .filter(({ rows }) => rows.length > 0)
    .map(forPeople);
  const drawn = charts(overview);
  return [
    '<!doctype html><html lang=en><head><meta charset=utf-8>',
    `<meta http-equiv=Content-Security-Policy content="${POLICY}">`,
    '<meta name=viewport content="width=device-width,initial-scale=1"><meta name=referrer content=no-referrer>',
    `<title>Virtual disks: report</title><style>${STYLE}</style></head><body>`,
    '<a class=skip href="#main">Skip to the content</a>',
    header(overview, sheets),
    `<main id=main>${drawn === '' ? '' : `<div class=charts>${keyList(CHART_KEY)}${drawn}</div>`}`,
    ...sheets.map((sheet) => section(sheet, overview)),
    maps(overview.disks),
    '</main><footer>Made by vmreclaim. Savings are recommendations: <code>vmreclaim plan</code> says exactly what would be done.</footer>',
    `<script>${SCRIPT}</script></body></html>\n`,
  ].join('\n');
}

function header(overview: Overview, sheets: readonly Sheet[]): string {
  const cards = summaryLines(overview).map(
    ({ key, title, value }) => `<div><dt>${html(title)}</dt><dd id="total-${key}">${html(value)}</dd></div>`,
  );
  const links = sheets.map(({ id, title }) => `<a href="#${id}">${html(title)}</a>`);
  const mapsLink = overview.disks.length === 0 ? [] : ['<a href="#disks">Disk maps</a>'];
  return `<header><h1>Virtual disks: report</h1><nav aria-label=Contents>${[...links, ...mapsLink].join('')}<button id=theme type=button>Light or dark</button></nav><dl class=cards>${cards.join('')}</dl></header>`;
}

/** No white space between elements: each would be a node of its own. */
function sectionHead(title: string, count: number, what: string): string {
  return `<div class=head><h2>${html(title)}</h2> <output class=dim>${count}</output><input type=search placeholder="Search ${html(what)}" aria-label="Search ${html(what)}"></div>`;
}

/** Rows from this number on scroll inside the section, below a heading that stays. */
const TALL = 25;

function section({ id, title, columns, rows }: Sheet, overview: Overview): string {
  const heads = columns.map(
    ({ title: name, kind }) =>
      `<th scope=col${isNumeric(kind) ? ' class=n' : ''}><button type=button>${html(name)}</button>`,
  );
  const lines = rows.map(
    (row) =>
      `<tr>${columns.map(({ key, kind }, index) => cell(key, row[index] ?? null, cellText(row[index] ?? null, kind, overview))).join('')}`,
  );
  const tall = rows.length >= TALL ? ' tall' : '';
  return [
    `<section id=${id}>${sectionHead(title, rows.length, title.toLowerCase())}`,
    `<div class="scroll${tall}" tabindex=0 role=region aria-label="${html(title)}"><table><thead><tr>${heads.join('')}</thead><tbody>`,
    ...lines,
    '</tbody></table></div></section>',
  ].join('');
}

const TONES: Readonly<Record<string, string>> = { misaligned: 'bad', damaged: 'bad', aligned: 'good' };

/** Characters from which on a cell may be broken into lines. */
const LONG_TEXT = 48;

/** Numbers carry their value, so that sorting does not depend on how they are written. */
function cell(key: string, value: CellValue, text: string): string {
  if (typeof value === 'number') return `<td class=n data-v=${value}>${html(text)}`;
  if (text.length > LONG_TEXT) return `<td class=wrap>${html(text)}`;
  const tone = key === 'alignment' || key === 'state' ? TONES[text] : undefined;
  return tone === undefined ? `<td>${html(text)}` : `<td class=${tone}>${html(text)}`;
}

type Key = readonly (readonly [kind: string, what: string])[];

const CHART_KEY: Key = [
  ['u', 'used'],
  ['f', 'free'],
  ['r', 'saved, or would be'],
  ['x', 'unknown, unallocated or blocked'],
];

const MAP_KEY: Key = [
  ['u', 'used'],
  ['f', 'free'],
  ['r', 'free, would be given back'],
  ['x', 'use unknown'],
  ['g', 'unallocated'],
  ['m', 'misaligned start'],
];

function keyList(key: Key): string {
  const items = key.map(
    ([kind, what]) =>
      `<li><svg viewBox="0 0 22 12" aria-hidden=true><path class=${kind} d="M0 0h22v12h-22z"/></svg>${what}`,
  );
  return `<ul class=key>${items.join('')}</ul>`;
}

function maps(disks: readonly DiskRow[]): string {
  if (disks.length === 0) return '';
  return [
    `<section id=disks>${sectionHead('Disk maps', disks.length, 'disk maps')}${keyList(MAP_KEY)}`,
    ...disks.map(article),
    '</section>',
  ].join('');
}

function article(disk: DiskRow): string {
  const { path, vm, state, reasons, actions, sizeBytes, plannedBytes } = disk;
  const saved = sizeBytes - plannedBytes;
  const change = saved === 0 ? '' : `, ${saved > 0 ? 'saves' : 'needs'} ${formatSize(Math.abs(saved))}`;
  const todo = actions.length === 0 ? 'nothing to do' : `${actions.join(', ')}${change}`;
  const words = [...(vm === null ? [] : [`VM ${vm}`]), state, todo];
  const why = reasons.map(({ code, message }) => `<p class=bad>${html(`${message} [${code}]`)}</p>`).join('');
  return `<article><h3>${html(path)}</h3><p>${html(words.join(' · '))}</p>${why}${diskMaps(disk)}</article>`;
}

import { renderHtml } from '../html/page.js';
import type { RenderOptions } from '../types.js';
import { renderCsv } from './csv.js';
import { renderOverviewJson } from './json.js';
import { renderMarkdown } from './markdown.js';
import { renderOverviewTable } from './table.js';
import type { Overview } from './types.js';

export type OverviewFormat = 'table' | 'json' | 'csv' | 'markdown' | 'html';

/** The formats of a report. One that is added here has to tell the numbers of the overview, and nothing of its own. */
export const OVERVIEW_FORMATS: Readonly<
  Record<OverviewFormat, (overview: Overview, options: RenderOptions) => string>
> = {
  table: renderOverviewTable,
  json: renderOverviewJson,
  csv: renderCsv,
  markdown: renderMarkdown,
  html: renderHtml,
};

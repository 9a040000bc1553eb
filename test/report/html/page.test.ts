import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderHtml, SCRIPT_HASH, STYLE_HASH } from '../../../src/report/html/page.js';
import { SCRIPT } from '../../../src/report/html/script.js';
import { STYLE } from '../../../src/report/html/style.js';
import { judge } from '../../support/judges.js';
import { HOSTILE_NAME, manyDisks, overviewOf, scanOf } from '../overview/sample.js';
import { UNSAFE } from '../sample.js';
import { Browser } from './browser.js';

const MIB = 2 ** 20;

describe('the text of the page', () => {
  const text = renderHtml(overviewOf());

  it('permits the script and the style that it holds, and no other', () => {
    const hash = (content: string) => `sha256-${createHash('sha256').update(content).digest('base64')}`;
    expect({ SCRIPT_HASH, STYLE_HASH }).toEqual({ SCRIPT_HASH: hash(SCRIPT), STYLE_HASH: hash(STYLE) });
    expect(text).toContain(`script-src '${SCRIPT_HASH}'; style-src '${STYLE_HASH}'`);
    expect(text).toContain("default-src 'none'");
  });

  it('names nothing outside itself', () => {
    expect(text).not.toMatch(/<[^>]*\b(?:src|href)=(?!"#)/);
    expect(text).not.toMatch(/url\(|@import|https?:/);
  });

  it('holds names from disks as text only', () => {
    expect(text).not.toContain('<img');
    expect(text.match(/<\/script>/g)).toHaveLength(1);
    expect(text).not.toMatch(UNSAFE);
  });

  it('is small for a thousand disks', () => {
    expect(renderHtml(overviewOf({ scan: scanOf(manyDisks(1000)) })).length).toBeLessThan(3 * MIB);
  });
});

describe.skipIf(!judge('chromium'))('the page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(() => browser.stop());

  it('shows every table and map, asks for nothing, and runs nothing that a name brings along', async () => {
    const { page, asked, said } = await browser.open(renderHtml(overviewOf()));
    expect(asked).toHaveLength(1);
    expect(said).toEqual([]);
    const headings = await page.locator('h2').allTextContents();
    expect(headings).toEqual([
      'Virtual machines',
      'Datastores',
      'Projected savings',
      'What was done',
      'Not looked at',
      'Disk maps',
    ]);
    expect(await page.locator('#vm tbody tr').count()).toBe(25);
    expect(await page.locator('#disks article').count()).toBe(25);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('figure').count()).toBe(4);
    // Drawn: each kind of piece has an area.
    for (const kind of ['u', 'f', 'r', 'm']) {
      const box = await page.locator(`#disks article svg path.${kind}`).first().boundingBox();
      expect(box?.width).toBeGreaterThan(1);
    }
    const shown = HOSTILE_NAME.replace('\u001b[31m', '').replace('\u202e', '');
    expect(await page.locator('#vm td', { hasText: shown }).first().textContent()).toBe(shown);
  });

  it('sorts by numbers and by text, by mouse and by keyboard', async () => {
    const { page } = await browser.open(renderHtml(overviewOf()));
    const column = async (title: string) => {
      const titles = await page.locator('#vm th').allTextContents();
      const place = titles.indexOf(title) + 1;
      return page.locator(`#vm tbody td:nth-child(${place})`);
    };
    const numbers = async (title: string) =>
      (await column(title)).evaluateAll((cells) =>
        cells.map((cell) => Number((cell as unknown as { dataset: { v: string } }).dataset.v)),
      );
    await page.getByRole('button', { name: 'used', exact: true }).first().click();
    const falling = await numbers('used');
    expect(falling).toEqual([...falling].sort((a, b) => b - a));
    expect(new Set(falling).size).toBeGreaterThan(5);
    // The same heading again, by keyboard: it has the focus.
    await page.keyboard.press('Enter');
    expect(await numbers('used')).toEqual([...falling].sort((a, b) => a - b));
    expect(await page.locator('#vm th[aria-sort]').getAttribute('aria-sort')).toBe('ascending');
    await page.locator('#vm th button').first().focus();
    await page.keyboard.press('Space');
    const names = await (await column('VM')).allTextContents();
    expect(names[0]).toMatch(/^=HYPERLINK/);
    expect(names).toEqual([...names].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)));
  });

  it('searches tables and maps, and takes the search back', async () => {
    const { page } = await browser.open(renderHtml(overviewOf()));
    await page.keyboard.press('/');
    await page.keyboard.type('MACHINE misaligned');
    const visible = page.locator('#vm tbody tr:visible');
    expect(await visible.count()).toBe(8);
    expect(await page.locator('#vm output').textContent()).toBe('8 of 25');
    await page.keyboard.press('Escape');
    expect(await visible.count()).toBe(25);
    await page.locator('#disks input').fill('vm0003');
    expect(await page.locator('#disks article:visible').count()).toBe(1);
  });

  it('is dark where the reader is, changes by the button, and prints in light without controls', async () => {
    const { page } = await browser.open(renderHtml(overviewOf()), 'dark');
    const background = () =>
      page.evaluate('getComputedStyle(document.body).backgroundColor') as Promise<string>;
    const dark = await background();
    await page.locator('#theme').click();
    const light = await background();
    expect([dark, light]).toEqual(['rgb(18, 22, 28)', 'rgb(255, 255, 255)']);
    await page.locator('#theme').click();
    await page.emulateMedia({ media: 'print' });
    expect(await background()).toBe(light);
    expect(await page.locator('input:visible, nav:visible').count()).toBe(0);
    expect(await page.locator('#vm tbody tr:visible').count()).toBe(25);
    // The width of A4, landscape, without its margins: no column is cut off.
    await page.setViewportSize({ width: 1030, height: 700 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1030);
  });

  it('can be read on a small screen without scrolling the page sideways', async () => {
    const { page } = await browser.open(renderHtml(overviewOf()));
    await page.setViewportSize({ width: 400, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    const bar = await page.locator('figure svg').first().boundingBox();
    expect(bar?.width).toBeGreaterThan(300);
  });

  it('reads without its script', async () => {
    const text = renderHtml(overviewOf()).replace(/<script>[\s\S]*<\/script>/, '');
    const { page } = await browser.open(text);
    expect(await page.locator('#vm tbody tr:visible').count()).toBe(25);
  });
});

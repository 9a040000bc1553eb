// How long Chromium needs until a report can be used.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];
const EXECUTABLE = '/usr/bin/chromium';

/** Milliseconds from the start of loading until the script is through, and of sorting and of searching all lines once. */
export async function timesInChromium(path) {
  const profile = mkdtempSync(join(tmpdir(), 'vmreclaim-bench-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: FLAGS,
  });
  try {
    const page = await context.newPage();
    await page.goto('about:blank');
    await page.goto(`file://${path}`, { waitUntil: 'domcontentloaded' });
    const ready = await page.evaluate('performance.getEntriesByType("navigation")[0].domInteractive');
    const timed = (action) =>
      page.evaluate(
        `{ const began = performance.now(); ${action}; document.body.offsetHeight; performance.now() - began }`,
      );
    const sort = await timed('document.querySelector("#vm th.n button").click()');
    const search = await timed(
      'const input = document.querySelector("#vm input"); input.value = "vm 77"; input.dispatchEvent(new Event("input"))',
    );
    return { ready, sort, search };
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

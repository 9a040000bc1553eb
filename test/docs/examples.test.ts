import { beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../support/judges.js';
import { makeExamples } from './examples.js';
import { projectPath, readDocument, shownCommands, withExamples } from './markdown.js';

/** Documents that show output. `npx vitest run test/docs --update` renews it. */
const DOCUMENTS = ['README.md', 'docs/cli.md', 'docs/plan-format.md', 'docs/journal-format.md'];

// Without the native calls holes are unknown, so that what is copied does not depend on the host; locks then need
// the flock command.
describe.skipIf(!judge('flock'))('examples in the documents', () => {
  let examples: ReadonlyMap<string, string>;
  beforeAll(async () => {
    process.env.VMRECLAIM_NATIVE = 'off';
    examples = await makeExamples();
  });

  it.each(DOCUMENTS)('%s shows what the program prints', async (name) => {
    const text = readDocument(name);
    const shown = shownCommands(text);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.filter((command) => !examples.has(command))).toEqual([]);
    await expect(withExamples(text, examples)).toMatchFileSnapshot(projectPath(name));
  });

  it('shows each example somewhere', () => {
    const shown = new Set(DOCUMENTS.flatMap((name) => shownCommands(readDocument(name))));
    expect([...examples.keys()].filter((command) => !shown.has(command))).toEqual([]);
  });
});

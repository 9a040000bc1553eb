import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_DONE, EXIT_FINDINGS } from '../../src/report/error.js';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { readDocument, tableRows } from '../docs/markdown.js';
import { judge, run } from '../support/judges.js';
import { vmreclaim } from './cli.js';

cleanUpFolders();

type Completed = readonly [line: string, words: readonly string[]];

/** What completes to what, in every shell. */
const COMPLETED: readonly Completed[] = [
  ['vmreclaim re', ['report', 'resume']],
  ['vmreclaim help z', ['zero']],
  ['vmreclaim report --format ', ['table', 'json', 'csv', 'markdown', 'html']],
  ['vmreclaim profiles ', ['list', 'show', 'check', 'init']],
  ['vmreclaim profiles check ru', ['rules.yaml']],
  ['vmreclaim scan --det', ['--details']],
  ['vmreclaim shrink --profile ru', ['rules.yaml']],
  ['vmreclaim scan di', ['disk.vmdk']],
];

/** A folder with two files, and the completion script of a shell in it. */
function bench(shell: string): VmFolder {
  const folder = new VmFolder();
  folder.text('rules.yaml', '');
  folder.text('disk.vmdk', '');
  folder.text('_vmreclaim', vmreclaim(['completion', shell]).stdout);
  return folder;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const sorted = (completed: readonly Completed[]) =>
  completed.map(([line, words]) => [line, [...new Set(words)].sort()]);

describe('completion of bash', () => {
  it('offers what there is', () => {
    const folder = bench('bash');
    const complete = (line: string): string[] => {
      // Bash splits words at equals signs before it asks.
      const words = line.replace('=', ' = ').split(' ');
      const script = `cd "$1"; shift; source _vmreclaim; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmreclaim; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return lines(run('bash', ['-c', script, 'bash', folder.path, ...words]));
    };
    const expected: Completed[] = [...COMPLETED, ['vmreclaim report --format=ht', ['html']]];
    expect(sorted(expected.map(([line]) => [line, complete(line)]))).toEqual(sorted(expected));
  });
});

describe.skipIf(!judge('fish'))('completion of fish', () => {
  it('offers what there is', () => {
    const folder = bench('fish');
    const script = COMPLETED.map(([line]) => `complete -C '${line}'; echo ,`).join('\n');
    const { stdout } = spawnSync('fish', ['-c', `source _vmreclaim\n${script}`], {
      encoding: 'utf8',
      cwd: folder.path,
      env: { ...process.env, HOME: folder.path },
    });
    const answers = stdout.split(',\n').map((text) => lines(text.replace(/\t.*$/gm, '')));
    expect(sorted(COMPLETED.map(([line], index) => [line, answers[index] ?? []]))).toEqual(sorted(COMPLETED));
  });
});

describe.skipIf(!judge('zsh'))('completion of zsh', () => {
  it('offers what there is, in a terminal of its own as it is used', () => {
    const folder = bench('zsh');
    const script = folder.text('drive.zsh', driveZsh(folder.path));
    spawnSync('zsh', ['-f', script], { encoding: 'utf8', cwd: folder.path, timeout: 60_000 });
    const offered = (index: number): string[] => {
      const path = folder.at(`hits${index + 1}`);
      return existsSync(path) ? lines(readFileSync(path, 'utf8')) : [];
    };
    expect(sorted(COMPLETED.map(([line], index) => [line, offered(index)]))).toEqual(sorted(COMPLETED));
  });
});

/** Types lines into an interactive zsh, after each the key of a completion widget that writes down what is offered. */
const driveZsh = (folder: string): string => `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "cd '${folder}'; fpath=('${folder}' \\$fpath); autoload -U compinit; compinit -u -D; n=0"
zpty -w z "list() { ((n++)); compadd() { builtin compadd -O hits \\"\\$@\\"; print -l -- \\$hits >> hits\\$n; builtin compadd \\"\\$@\\" }; _main_complete; : > done\\$n }"
zpty -w z "zle -C list complete-word list; bindkey '^X' list; echo re''ady"
zpty -r -m z o '*ready*'
type-line() {
  zpty -w -n z $1$'\\x18'
  repeat 400; do
    [[ -e '${folder}'/done$2 ]] && break
    zpty -r -t z o
    sleep 0.02
  done
  zpty -w -n z $'\\x15'
}
${COMPLETED.map(([line], index) => `type-line '${line}' ${index + 1}`).join('\n')}
zpty -d z
`;

describe('the manual page', () => {
  const page = () => vmreclaim(['man']).stdout;

  it('is the one that the package brings along', () => {
    // Renewed with: npm run build && node bin/vmreclaim.js man -o docs/vmreclaim.1
    expect(readDocument('docs/vmreclaim.1')).toBe(page());
  });

  it('explains the exit codes there are', () => {
    const section = page().split('.SH EXIT STATUS')[1]?.split('.SH ')[0] ?? '';
    const codes = [...section.matchAll(/^\\fB([\d, ]+)\\fR$/gm)].flatMap(([, text = '']) => text.split(', '));
    const real = [...new Set([EXIT_DONE, EXIT_FINDINGS, ...Object.values(EXIT_CODES)])].map(String);
    expect(codes.sort()).toEqual([...new Set([...real, '130', '143'])].sort());
  });

  it.skipIf(!judge('man', 'mandoc'))('pleases man and mandoc, with every command and option in it', () => {
    const folder = new VmFolder();
    const path = folder.text('vmreclaim.1', page());
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', path], { encoding: 'utf8' });
    // It has no date: equal programs give equal pages.
    expect(
      stdout
        .trim()
        .split('\n')
        .filter((line) => !line.includes('missing date')),
    ).toEqual([]);
    const shown = spawnSync('man', ['--warnings', '-l', '-P', 'cat', path], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '200' },
    });
    expect(shown).toMatchObject({ status: 0, stderr: '' });
    // docs/cli.md is compared with the help of every command elsewhere.
    const document = readDocument('docs/cli.md');
    const commands = [...document.matchAll(/^## vmreclaim (\S+)$/gm)].map(([, name = '']) => name);
    const options = tableRows(document, '## Options').flatMap(
      ([flags = '']) => flags.match(/--[a-z-]+/g) ?? [],
    );
    expect([commands.length > 0, options.length > 0]).toEqual([true, true]);
    expect(commands.filter((command) => !shown.stdout.includes(`   ${command}\n`))).toEqual([]);
    expect(options.filter((option) => !shown.stdout.includes(option))).toEqual([]);
  });
});

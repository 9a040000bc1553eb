import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { rootJudge, run } from '../support/judges.js';
import { readTable } from '../support/verdicts.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/boot-judge.sh', import.meta.url));
const asked = process.env.VMRECLAIM_BOOT_JUDGE === '1';
/** A guest is built once in minutes, and boots in some ten seconds under emulation. */
const TIMEOUT_MS = 900_000;

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-guest-boots-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Loader = 'grub' | 'grub-blocks' | 'extlinux';

function build(loader: Loader): string {
  const image = join(folder, `${loader}.img`);
  rmSync(image, { force: true });
  run('bash', [SCRIPT, 'build', loader, image]);
  expect(readTable(image)[0]?.start).toBe(63);
  return image;
}

/** The line that the guest's init prints when its root file system is there and its files are whole. */
const boot = (image: string): string => run('bash', [SCRIPT, 'boot', image]);

const needed = ['debootstrap', 'qemu-system-x86_64', 'grub-mkimage', 'extlinux', 'mke2fs', 'sfdisk'] as const;

describe.skipIf(!asked || !rootJudge(...needed))('a Linux guest', () => {
  it.each([
    ['grub', 'align', 'grub'],
    ['grub', 'shrink', 'grub'],
    ['grub-blocks', 'align', 'grub'],
    ['extlinux', 'align', 'syslinux'],
  ] as const)(
    'started by %s still starts after %s',
    async (loader, command, kind) => {
      const image = build(loader);
      expect(boot(image)).toContain('boot-judge: reached');
      const { stdout } = await expectCli(0, command, image, '-y', '--json');
      const { fixups } = JSON.parse(stdout) as { fixups: { kind: string }[] };
      expect(fixups.map((fixup) => fixup.kind)).toContain(kind);
      expect(readTable(image)[0]?.start).toBe(128);
      expect(boot(image)).toContain('boot-judge: reached');
    },
    TIMEOUT_MS,
  );

  it(
    'whose block list is left as it is does not start: the judge can tell',
    async () => {
      const image = build('grub-blocks');
      await expectCli(0, 'align', image, '-y', '--skip-boot-fixups', 'grub');
      expect(() => run('env', ['BOOT_SECONDS=45', 'bash', SCRIPT, 'boot', image])).toThrow();
    },
    TIMEOUT_MS,
  );
});

// Runs the layer rules. A run over no modules would pass without having looked at anything: that is an error.
import { spawnSync } from 'node:child_process';

const MIN_MODULES = 100;
const result = spawnSync('npx', ['depcruise', '--config', '.dependency-cruiser.cjs', 'src', 'bin'], {
  encoding: 'utf8',
});
process.stdout.write(result.stdout);
process.stderr.write(result.stderr);
const modules = Number(/(\d+) modules/.exec(result.stdout)?.[1] ?? 0);
if (modules < MIN_MODULES) {
  console.error(`only ${modules} modules were looked at`);
  process.exitCode = 1;
} else {
  process.exitCode = result.status ?? 1;
}

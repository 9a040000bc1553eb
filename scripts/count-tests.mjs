// Prints `N passed, N failed, N skipped` from a report of vitest's JSON reporter, and fails when anything did:
//     node scripts/count-tests.mjs REPORT STATUS
// STATUS is the exit code of the test run. It counts: an error outside of all tests fails the run, and a run that
// left no report, or ran no test, has not passed.
import { readFileSync } from 'node:fs';

const [path, status] = process.argv.slice(2);

function readReport() {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    console.error(`no report of the tests: ${error.message}`);
    return { testResults: [] };
  }
}

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const file of readReport().testResults) {
  const outcomes = file.assertionResults.map((test) => test.status);
  counts.passed += outcomes.filter((outcome) => outcome === 'passed').length;
  const failed = outcomes.filter((outcome) => outcome === 'failed').length;
  // A file that could not be loaded, or whose hooks failed, has no failed test of its own.
  counts.failed += failed === 0 && file.status === 'failed' ? 1 : failed;
  counts.skipped += outcomes.filter((outcome) => !['passed', 'failed'].includes(outcome)).length;
}
if (counts.failed === 0 && (status !== '0' || counts.passed === 0)) counts.failed = 1;
process.exitCode = counts.failed === 0 ? 0 : 1;
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
